"""Whether streams arrived as they were sent, and how they were spread over time."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from bench.arrivals import Arrival, read
from bench.dialects import DIALECTS
from bench.job import Seen, Spread

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.client import Exchange
    from bench.job import Flow

STRETCHED = 2
"""Times the backend's pause from which a gap counts as stretched."""


class WrongStream(Exception):
    """A stream did not arrive as it was sent."""


class Judge:
    """Takes the exchanges of a flow one by one, and says in the end what they came to."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._dialect = DIALECTS[flow.dialect]
        self._text = flow.streams.text
        self._notes: Counter[str] = Counter()
        self._whole = self._bytes = self._reads = self._stretched = 0
        self._first_byte_s, self._ttft_s, self._gap_s = array("d"), array("d"), array("d")

    def take(self, exchange: Exchange) -> None:
        """Look at one exchange.

        Raises:
            WrongStream: it is not as it was sent, and the flow is strict.
        """
        arrival = read(exchange, self._dialect)
        problem = self._problem(arrival)
        if problem:
            if self._flow.strict:
                raise WrongStream(f"{problem}: {arrival.head!r}")
            self._notes[f"failed: {problem}"] += 1
            return
        for oddity in self._oddities(arrival):
            if self._flow.strict:
                raise WrongStream(oddity)
            self._notes[oddity] += 1
        self._whole += 1
        self._bytes += sum(len(content) for _, content in exchange.reads)
        self._reads += len(exchange.reads)
        self._time(exchange, [at for at, _ in arrival.deltas])

    def note(self, what: str) -> None:
        """Count something odd that is no stream's content."""
        self._notes[what] += 1

    def seen(self) -> Seen:
        """Return what came of all.

        Raises:
            WrongStream: there are not as many as there had to be, and the flow is strict.
        """
        streams = self._flow.streams
        if self._flow.strict and streams.streams not in {None, self._whole}:
            raise WrongStream(f"{self._whole} streams, not {streams.streams}")
        return Seen(
            streams=self._whole,
            events=self._whole * streams.deltas,
            received_bytes=self._bytes,
            reads=self._reads,
            first_byte=spread(self._first_byte_s),
            ttft=spread(self._ttft_s),
            gap=spread(self._gap_s),
            stretched=self._stretched,
            notes=dict(self._notes),
        )

    def _problem(self, arrival: Arrival) -> str:
        """Return why an answer is not the right one, "" if it is."""
        if arrival.status != 200:
            return f"status {arrival.status}"
        if arrival.fault:
            return arrival.fault
        if not arrival.is_whole:
            return "broken off"
        if "".join(text for _, text in arrival.deltas) != self._text:
            return "another text than was sent"
        return ""

    def _oddities(self, arrival: Arrival) -> Iterable[str]:
        deltas, wanted = len(arrival.deltas), self._flow.streams.deltas
        if deltas != wanted:
            yield "deltas merged" if deltas < wanted else "deltas split"
        if not arrival.has_ended:
            yield "no terminal event"
        if arrival.after_end:
            yield "events after the terminal one"

    def _time(self, exchange: Exchange, deltas_at: list[float]) -> None:
        self._first_byte_s.append(exchange.reads[0][0] - exchange.sent_at)
        self._ttft_s.append(deltas_at[0] - exchange.sent_at)
        gaps_s = [later - at for at, later in pairwise(deltas_at)]
        self._gap_s.extend(gaps_s)
        limit_s = self._flow.streams.gap_ms / 1000 * STRETCHED
        self._stretched += sum(gap_s > limit_s for gap_s in gaps_s) if limit_s else 0


def spread(durations_s: Iterable[float]) -> Spread | None:
    """Return how durations are distributed; None if there are none."""
    ordered = sorted(durations_s)
    if not ordered:
        return None

    def quantile_ms(share: float) -> float:
        return ordered[math.ceil(share * len(ordered)) - 1] * 1000

    return Spread(
        count=len(ordered),
        p50_ms=quantile_ms(0.5),
        p90_ms=quantile_ms(0.9),
        p99_ms=quantile_ms(0.99),
        max_ms=ordered[-1] * 1000,
    )
