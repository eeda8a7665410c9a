"""Runs as they might have been saved."""

from __future__ import annotations

from bench.circumstances import Circumstances
from bench.results import Result
from bench.sample import Sample
from bench.scenario import Scenario

CIRCUMSTANCES = Circumstances(
    started_at="2026-01-01T00:00:00+00:00",
    command="python -m bench run",
    commit="abc",
    machine="a machine",
    cores=2,
    system="Linux",
    load_average=0.1,
    versions={"python": "3.11"},
)
EVENTS = 1000
KINDS = {"nginx": "floor", "direct": "floor", "other chat": "opponent"}


def run_of(carrier_us: dict[str, list[float]], **changes: object) -> Result:
    """Return a run with these CPU times of an event, by lane and round."""
    fields = {
        "name": "paced",
        "stands_for": "Something",
        "lanes": ("messages", "chat", "nginx"),
        "concurrency": 1,
        "streams": 10,
        "deltas": 100,
        "gap_ms": 20,
        "columns": ("carrier_us", "x_nginx", "x_opponents_us"),
        "bars": {"x_nginx": 2.5},
        **changes,
    }
    samples = [
        Sample.model_validate(
            {
                "scenario": "paced",
                "lane": lane,
                "kind": KINDS.get(lane, "codexia"),
                "round": number,
                "values": {
                    "streams": 10,
                    "events": EVENTS,
                    "wall_s": 1,
                    "carrier_s": used_us * EVENTS / 1e6,
                    "simulator_s": 0.1,
                    "load_s": 0.1,
                },
            }
        )
        for lane, values in carrier_us.items()
        for number, used_us in enumerate(values)
    ]
    scenario = Scenario.model_validate(fields)
    return Result(circumstances=CIRCUMSTANCES, scenarios={"paced": scenario}, samples=samples)
