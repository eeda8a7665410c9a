"""The reconcile rules, as a script of states in and actions out."""

from __future__ import annotations

from typing import Any

import pytest

from codexia_supervisor.plan import (
    DRAIN_TIMEOUT_S,
    NOTICE_S,
    START_TIMEOUT_S,
    Announce,
    Kill,
    Observed,
    Shape,
    Start,
    Terminate,
    plan,
    plan_stop,
)

WANTED = Shape("1", "127.0.0.1", 14550, 2)
OTHER = Shape("1", "127.0.0.1", 14550, 4)
NOW = 1000.0


def observed(number: int, shape: Shape = WANTED, **state: Any) -> Observed:
    return Observed(number, shape, born_at=NOW - 10, **state)


@pytest.mark.parametrize(
    ("generations", "actions"),
    [
        ([], [Start()]),
        ([observed(1)], []),
        ([observed(1, ready_at=NOW)], []),
        ([observed(1, OTHER, ready_at=NOW)], [Start()]),
        ([observed(1, OTHER, ready_at=NOW), observed(2)], []),
        ([observed(1, OTHER, ready_at=NOW), observed(2, ready_at=NOW)], [Announce(1)]),
        ([observed(1, announced_at=NOW), observed(2, ready_at=NOW)], []),
        ([observed(1, announced_at=NOW - NOTICE_S), observed(2, ready_at=NOW)], [Terminate(1)]),
        ([observed(1, leaving_at=NOW - DRAIN_TIMEOUT_S), observed(2, ready_at=NOW)], [Kill(1)]),
        ([observed(1, leaving_at=NOW)], [Start()]),
        # One that was handed over serves until its successor of the same shape does.
        ([observed(1, outdated=True, ready_at=NOW)], [Start()]),
        ([observed(1, outdated=True)], [Start()]),
        ([observed(1, outdated=True, ready_at=NOW), observed(2)], []),
        ([observed(1, outdated=True, ready_at=NOW), observed(2, ready_at=NOW)], [Announce(1)]),
        # The older one of the wanted shape has been told to drain: it does not count any more.
        ([observed(1, announced_at=NOW), observed(2, OTHER, ready_at=NOW)], [Start()]),
    ],
)
def test_smallest_action(generations: list[Observed], actions: list[Any]) -> None:
    assert plan(generations, WANTED, NOW, start_at=0).actions[:1] == actions


def test_start_waits_for_the_back_off() -> None:
    steps = plan([], WANTED, NOW, start_at=NOW + 5)
    assert (steps.actions, steps.wake_at) == ([], NOW + 5)


def test_generation_that_never_becomes_ready_is_killed() -> None:
    steps = plan([observed(1)], WANTED, NOW - 10 + START_TIMEOUT_S, start_at=0)
    assert steps.actions == [Kill(1)]


def test_stop_terminates_all_and_kills_after_the_grace() -> None:
    generations = [observed(1), observed(2, ready_at=NOW)]
    steps = plan_stop(generations, NOW, kill_at=NOW + 30)
    assert (steps.actions, steps.wake_at) == ([Terminate(1), Terminate(2)], NOW + 30)
    generations[0].terminated = generations[1].terminated = True
    assert plan_stop(generations, NOW + 30, kill_at=NOW + 30).actions == [Kill(1), Kill(2)]
