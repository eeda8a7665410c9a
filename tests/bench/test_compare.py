"""What is concluded from two runs."""

from __future__ import annotations

import pytest

from bench.compare import Change, changes, differing_shapes
from tests.bench.runs import run_of

BEFORE = [50.0, 51.0, 49.0]


def change(after: list[float]) -> Change:
    runs = run_of({"messages": BEFORE}), run_of({"messages": after})
    (found,) = [each for each in changes(*runs) if each.number == "carrier_us"]
    return found


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        ([40.0, 41.0, 39.0], "better"),
        ([60.0, 61.0, 59.0], "worse"),
        ([48.5, 48.6, 48.4], "spread is larger than the difference"),
        ([40.0, 55.0, 30.0], "spread is larger than the difference"),
        (BEFORE, "same"),
        ([40.0], "too few rounds to say"),
    ],
)
def test_verdict(after: list[float], verdict: str):
    assert change(after).verdict == verdict


def test_ratio_is_of_the_medians():
    assert change([40.0, 25.0, 20.0]).ratio == pytest.approx(0.5)


def test_ratios_to_a_floor_are_taken_within_a_round():
    before = run_of({"messages": [20.0, 40.0], "nginx": [10.0, 20.0]})
    (found,) = [
        each
        for each in changes(before, before)
        if (each.lane, each.number) == ("messages", "x_nginx")
    ]
    assert found.before.values == pytest.approx((2.0, 2.0))


def test_runs_of_other_streams_are_told_apart():
    runs = run_of({"messages": BEFORE}), run_of({"messages": BEFORE}, deltas=50)
    assert differing_shapes(*runs) == ["paced"]
    assert differing_shapes(runs[0], runs[0]) == []
