"""The reconcile rules, as a script of states in and actions out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    return Observed(number, shape, born_at=NOW - 10, pid=100 + number, **state)


TIMES = st.none() | st.floats(NOW - 2 * DRAIN_TIMEOUT_S, NOW)
SITUATIONS = st.lists(
    st.builds(
        Observed,
        number=st.just(0),
        shape=st.sampled_from([WANTED, OTHER]),
        born_at=st.floats(NOW - 2 * START_TIMEOUT_S, NOW),
        pid=st.just(100),
        outdated=st.booleans(),
        ready_at=TIMES,
        announced_at=TIMES,
        leaving_at=TIMES,
        terminated=st.booleans(),
        killed=st.booleans(),
    ),
    max_size=4,
).map(lambda found: [replace(each, number=number) for number, each in enumerate(found)])
"""Everything that can be known of some generations, and more."""


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


@given(SITUATIONS, st.booleans())
def test_what_was_carried_out_is_planned_no_more(
    generations: list[Observed], stopping: bool
) -> None:
    for _ in range(5):  # longer than any chain: start, announce, terminate, kill
        if stopping:
            steps = plan_stop(generations, NOW, kill_at=NOW)
        else:
            steps = plan(generations, WANTED, NOW, start_at=0)
        if not steps.actions:
            break
        for action in steps.actions:
            if isinstance(action, Start):
                generations.append(Observed(len(generations), WANTED, NOW, 100))
            else:
                generations[action.number].note(action, NOW)
    assert steps.actions == []
    assert steps.wake_at > NOW


def test_stop_terminates_all_and_kills_after_the_grace() -> None:
    generations = [observed(1), observed(2, ready_at=NOW)]
    steps = plan_stop(generations, NOW, kill_at=NOW + 30)
    assert (steps.actions, steps.wake_at) == ([Terminate(1), Terminate(2)], NOW + 30)
    generations[0].terminated = generations[1].terminated = True
    assert plan_stop(generations, NOW + 30, kill_at=NOW + 30).actions == [Kill(1), Kill(2)]
