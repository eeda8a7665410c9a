"""`GET /metrics`: what the workers counted, added up, and what the supervisor knows itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

from codexia.metrics import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from prometheus_client.core import Metric

    from codexia.control import SupervisorStatus
    from codexia.metrics import Family
    from codexia_supervisor.fleet import Counts, Fleet


class Metrics:
    """Everything that is counted, in the form that Prometheus scrapes."""

    def __init__(
        self,
        fleet: Fleet,
        status: Callable[[], SupervisorStatus],
        refreshes: Mapping[str, int],
        batches: Callable[[], Mapping[str, int]],
    ) -> None:
        """Count nothing here; these know.

        Args:
            fleet: what the workers did.
            status: gives the supervisor's account of itself.
            refreshes: of the login, by how they ended.
            batches: gives how many batches there are, by state.
        """
        self._fleet = fleet
        self._status = status
        self._refreshes = refreshes
        self._batches = batches
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        """Return all metrics."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Give all metrics; the registry asks for them."""
        counted = self._fleet.counts()
        for family in FAMILIES:
            yield _metric(family, counted.get(family.name, {}))
        yield _gauge("codexia_streams_open", "Answers of the backend under way.", self._fleet.open)
        yield _gauge(
            "codexia_requests_waiting", "Requests whose turn has not come.", self._fleet.waiting
        )
        status = self._status()
        newest = max((each.generation for each in status.generations), default=0)
        workers = sum(each.workers for each in status.generations)
        yield _gauge("codexia_generation", "Number of the newest generation of workers.", newest)
        yield _gauge("codexia_workers", "Worker processes, those that finish included.", workers)
        yield _gauge("codexia_config_revision", "Of what the workers serve by.", status.revision)
        yield _gauge("codexia_logged_in", "1 while the login is usable.", int(status.logged_in))
        yield _gauge(
            "codexia_batch_items_running", "Items of batches at workers.", status.batches.running
        )
        batches = GaugeMetricFamily("codexia_batches", "Batches, by state.", labels=["state"])
        for state, number in self._batches().items():
            batches.add_metric([state], number)
        yield batches
        refreshes = CounterMetricFamily(
            "codexia_refreshes", "Refreshes of the login.", labels=["outcome"]
        )
        for outcome, number in self._refreshes.items():
            refreshes.add_metric([outcome], number)
        yield refreshes


def _metric(family: Family, counts: Counts) -> Metric:
    if not family.buckets:
        counter = CounterMetricFamily(family.name, family.meaning, labels=family.labels)
        for labels, (total, _) in counts.items():
            counter.add_metric(labels, total)
        return counter
    histogram = HistogramMetricFamily(family.name, family.meaning, labels=family.labels)
    for labels, (total, by_bucket) in counts.items():
        histogram.add_metric(labels, _cumulated(family, by_bucket), sum_value=total)
    return histogram


def _cumulated(family: Family, by_bucket: Sequence[int]) -> list[tuple[str, float]]:
    bounds = [*(str(float(bound)) for bound in family.buckets), "+Inf"]
    return [(bound, sum(by_bucket[: place + 1])) for place, bound in enumerate(bounds)]


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, value=value)
