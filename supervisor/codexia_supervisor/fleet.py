"""What all workers did together, from what each of them reports."""

from __future__ import annotations

from collections import Counter
from operator import add
from typing import TYPE_CHECKING, TypeAlias

from codexia.account import FleetStatus, ServedModel
from codexia.local_time import local_time

if TYPE_CHECKING:
    from codexia.account import Observed

Counts: TypeAlias = "dict[tuple[str, ...], tuple[float, tuple[int, ...]]]"
"""Of one family, by the values of its labels: the total, and the counts by bucket."""


class Fleet:
    """The last report of every worker there was: their counts go on after they ended."""

    def __init__(self, since: float) -> None:
        self._since = since
        self._reports: dict[str, Observed] = {}

    def observe(self, report: Observed) -> None:
        """Take a worker's newest report in place of its last."""
        self._reports[report.worker] = report

    def gone(self, worker: str) -> None:
        """Take note that a worker follows no more, so has no streams as far as is known."""
        if report := self._reports.get(worker):
            self._reports[worker] = report.model_copy(update={"streams_open": 0, "waiting": 0})

    @property
    def requests(self) -> int:
        """How many requests there were."""
        return sum(sum(report.requests.values()) for report in self._reports.values())

    @property
    def open(self) -> int:
        """How many answers of the backend are under way."""
        return sum(report.streams_open for report in self._reports.values())

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        return sum(report.waiting for report in self._reports.values())

    def counts(self) -> dict[str, Counts]:
        """Return the sums of what the workers counted, by family."""
        sums: dict[str, Counts] = {}
        for report in self._reports.values():
            for series in report.series:
                counts = sums.setdefault(series.family, {})
                total, by_bucket = counts.get(series.labels, (0.0, (0,) * len(series.counts)))
                # A worker of another version may have other buckets.
                if len(by_bucket) == len(series.counts):
                    added = tuple(map(add, by_bucket, series.counts))
                    counts[series.labels] = total + series.total, added
        return sums

    def status(self) -> FleetStatus:
        """Return the sums."""
        reports = self._reports.values()
        requests: Counter[str] = Counter()
        for report in reports:
            requests.update(report.requests)
        since = min([self._since, *(report.since for report in reports)])
        return FleetStatus(
            since=since,
            since_local=local_time(since),
            requests=dict(sorted(requests.items())),
            streams_open=self.open,
            input_tokens=sum(report.input_tokens for report in reports),
            cached_tokens=sum(report.cached_tokens for report in reports),
            output_tokens=sum(report.output_tokens for report in reports),
        )

    def served_models(self) -> tuple[ServedModel, ...]:
        """Return which models the backend replaced, the last ones first."""
        pairs: dict[tuple[str, str], ServedModel] = {}
        for report in self._reports.values():
            for notice in report.served_models:
                pair = (notice.asked, notice.served)
                known = pairs.get(pair)
                last_at = max(notice.last_at, known.last_at if known else 0.0)
                pairs[pair] = ServedModel(
                    asked=notice.asked,
                    served=notice.served,
                    count=notice.count + (known.count if known else 0),
                    last_at=last_at,
                    last_at_local=local_time(last_at),
                )
        return tuple(sorted(pairs.values(), key=lambda notice: -notice.last_at))
