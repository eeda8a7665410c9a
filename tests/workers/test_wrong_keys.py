"""The pace at which wrong local keys are refused, on a clock of its own."""

from __future__ import annotations

import logging

import pytest

from codexia.errors import RateLimited
from codexia_workers.wrong_keys import AT_ONCE, LONGEST_WAIT_S, PER_S, WrongKeys


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wrong_keys(clock: Clock) -> WrongKeys:
    return WrongKeys(clock)


def test_first_ones_are_refused_at_once(wrong_keys: WrongKeys):
    assert [wrong_keys.wait_s() for _ in range(AT_ONCE)] == [0.0] * AT_ONCE


def test_further_ones_take_their_turn(wrong_keys: WrongKeys):
    for _ in range(AT_ONCE):
        wrong_keys.wait_s()
    waits = [wrong_keys.wait_s() for _ in range(5)]
    assert waits == pytest.approx([turn / PER_S for turn in range(1, 6)])


def test_no_more_wait_than_may(wrong_keys: WrongKeys, clock: Clock):
    for _ in range(AT_ONCE + int(LONGEST_WAIT_S * PER_S)):
        wrong_keys.wait_s()
    for _ in range(1000):
        with pytest.raises(RateLimited) as refused:
            wrong_keys.wait_s()
    assert refused.value.retry_after_s == LONGEST_WAIT_S
    clock.now += 1
    assert wrong_keys.wait_s() == pytest.approx(LONGEST_WAIT_S - 1 + 1 / PER_S)


def test_quiet_time_forgives(wrong_keys: WrongKeys, clock: Clock):
    for _ in range(AT_ONCE * 2):
        wrong_keys.wait_s()
    clock.now += 60
    test_first_ones_are_refused_at_once(wrong_keys)


def test_operator_is_told_once_a_minute(
    wrong_keys: WrongKeys, clock: Clock, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING, "codexia.gate")
    for _ in range(AT_ONCE):
        wrong_keys.wait_s()
    assert caplog.messages == []
    for _ in range(20):
        wrong_keys.wait_s()
    assert len(caplog.messages) == 1
    clock.now += 61
    for _ in range(AT_ONCE * 2):
        wrong_keys.wait_s()
    assert len(caplog.messages) == 2
