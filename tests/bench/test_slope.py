"""How fast something grows, and how sure that is."""

from __future__ import annotations

import random

import pytest

from bench.slope import Slope


def points(growth: float, noise: float) -> list[tuple[float, float]]:
    drawn = random.Random(7)
    return [(at, 100 + growth * at + drawn.gauss(0, noise)) for at in range(200)]


def test_growth_is_found():
    slope = Slope.of(points(0.5, 0))
    assert slope.value == pytest.approx(0.5)
    assert slope.margin == pytest.approx(0, abs=1e-6)


def test_noise_is_no_growth():
    slope = Slope.of(points(0, 5))
    assert abs(slope.value) < slope.margin


def test_growth_is_found_in_noise():
    slope = Slope.of(points(0.5, 5))
    assert slope.value - slope.margin > 0
    assert abs(slope.value - 0.5) < slope.margin


def test_few_points_tell_nothing():
    with pytest.raises(ValueError, match="at least 20"):
        Slope.of(points(1, 1)[:10])
