"""One measurement as it was made, and all of one round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from bench.lane import Kind  # noqa: TC001 - pydantic reads annotations at run time

if TYPE_CHECKING:
    from bench.job import Finished, Seen, Spread


class Sample(BaseModel):
    """One measurement of one lane.

    Attributes:
        lane: its name.
        round: measurements of one round were made one right after the other.
        values: what was measured, by name with its unit.
        notes: what was odd, and how often.
    """

    scenario: str
    lane: str
    kind: Kind
    round: int
    values: dict[str, float]
    notes: dict[str, int] = {}


def streamed_values(finished: Finished, seen: Seen, cpu_s: dict[str, float]) -> dict[str, float]:
    """Return what a measurement of streams has to tell.

    Args:
        finished: from the load generator.
        seen: from it, too.
        cpu_s: CPU time by role, which are `carrier`, `product` and `simulator`.
    """
    return {
        "streams": seen.streams,
        "events": seen.events,
        "reads": seen.reads,
        "received_bytes": seen.received_bytes,
        "wall_s": finished.wall_s,
        "load_s": finished.cpu_s,
        **{f"{role}_s": used_s for role, used_s in cpu_s.items()},
        **_spread("first_byte", seen.first_byte),
        **_spread("ttft", seen.ttft),
        **_spread("gap", seen.gap),
        "stretched": seen.stretched,
    }


def _spread(name: str, spread: Spread | None) -> dict[str, float]:
    if spread is None:
        return {}
    return {
        f"{name}s": spread.count,
        f"{name}_p50_ms": spread.p50_ms,
        f"{name}_p90_ms": spread.p90_ms,
        f"{name}_p99_ms": spread.p99_ms,
        f"{name}_max_ms": spread.max_ms,
    }


class Round:
    """The samples of one scenario and one round, by lane."""

    def __init__(self, samples: list[Sample]) -> None:
        self._by_lane = {sample.lane: sample for sample in samples}

    def lane(self, name: str) -> Sample | None:
        """Return the sample of a lane, None if it has none."""
        return self._by_lane.get(name)

    def opponents(self) -> list[Sample]:
        """Return the samples of opponents."""
        return [each for each in self._by_lane.values() if each.kind == "opponent"]
