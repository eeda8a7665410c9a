"""How a cap is divided among workers: never exceeded, moved to who needs it, and then at rest."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexia.control import Demand, Need
from codexia_supervisor.division import Division, Part, fair_shares
from codexia_supervisor.shares import Shares

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("cap", "wanted", "shares"),
    [
        (10, (0, 0), [5, 5]),
        (10, (100, 0), [9, 1]),
        (10, (100, 100), [5, 5]),
        (10, (100, 3), [7, 3]),
        (9, (2, 2), [4, 5]),
        (2, (0, 1, 1), [0, 1, 1]),
    ],
)
def test_share_is_what_is_wanted_if_it_fits(cap, wanted, shares):
    assert fair_shares(cap, [Part(waiting=each) for each in wanted]) == shares


@given(cap=st.integers(1, 300), wanted=st.lists(st.integers(0, 500), min_size=1, max_size=16))
def test_whole_cap_is_shared_out_and_nobody_is_forgotten(cap, wanted):
    shares = fair_shares(cap, [Part(waiting=each) for each in wanted])
    assert sum(shares) == cap
    assert min(shares) >= (1 if cap >= len(wanted) else 0)


def test_worker_that_was_not_heard_of_yet_is_left_an_even_share():
    division = Division(10)
    division.report("a", Need(held=0, running=0, waiting=100), current=True)
    division.divide(expected=2)
    assert division.shares == {"a": 9}
    division.report("b", Need(held=0, running=0, waiting=100), current=True)
    division.divide(expected=2)
    assert division.shares == {"a": 5, "b": 1}


@dataclass
class Following:
    """A worker as the supervisor knows it: what it is told comes late, and so does what it says."""

    name: str
    share: int = 0
    number: int = 0
    running: int = 0
    waiting: int = 0
    inbox: deque[tuple[int, int]] = field(default_factory=deque)

    def step(self) -> None:
        if self.inbox:
            self.number, self.share = self.inbox.popleft()
        while self.waiting and self.running < self.share:
            self.waiting, self.running = self.waiting - 1, self.running + 1

    def demand(self) -> Demand:
        need = Need(held=max(self.share, self.running), running=self.running, waiting=self.waiting)
        return Demand(worker=self.name, number=self.number, needs={"": need})


class Fleet:
    """Workers, what they say on its way, and the shares."""

    def __init__(self, cap: int, workers: int) -> None:
        self.cap = cap
        self.workers = [Following(f"w{each}") for each in range(workers)]
        self.said: deque[Demand] = deque()
        self.pushes = 0
        self.due: list[Callable[[], None]] = []
        self.shares = Shares(lambda: workers, self.push, lambda _, call: self.due.append(call))
        self.shares.configure({"": cap})

    def push(self) -> None:
        self.pushes += 1
        for worker in self.workers:
            mine = self.shares.current.by_worker.get(worker.name)
            if mine is not None:
                worker.inbox.append((self.shares.current.number, mine[""]))

    def settle(self, rounds: int = 30) -> None:
        for _ in range(rounds):
            for worker in self.workers:
                worker.step()
                self.shares.report(worker.demand())

    @property
    def running(self) -> int:
        return sum(worker.running for worker in self.workers)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["come", "end", "step", "say", "hear"]),
        st.integers(0, 3),
        st.integers(1, 9),
    ),
    max_size=120,
)


@given(cap=st.integers(1, 12), workers=st.integers(1, 4), actions=ACTIONS)
def test_cap_is_never_exceeded_however_late_everybody_hears(cap, workers, actions):
    fleet = Fleet(cap, workers)
    for action, which, amount in actions:
        worker = fleet.workers[which % workers]
        match action:
            case "come":
                worker.waiting += amount
            case "end":
                worker.running = max(0, worker.running - amount)
            case "step":
                worker.step()
            case "say":
                fleet.said.append(worker.demand())
            case "hear" if fleet.said:
                fleet.shares.report(fleet.said.popleft())
            case _:
                pass
        assert fleet.running <= cap
    for late in fleet.said:
        fleet.shares.report(late)
    fleet.settle()
    wanted = sum(worker.running + worker.waiting for worker in fleet.workers)
    # All are used that somebody has use for, but those which idle workers have to begin with.
    assert fleet.running >= min(wanted, cap - workers)
    assert fleet.running <= cap


def test_idle_worker_gives_its_share_to_a_busy_one():
    fleet = Fleet(50, 2)
    fleet.settle()
    fleet.workers[0].waiting = 200
    fleet.settle()
    assert fleet.workers[0].running == 49


def test_one_stream_goes_round_among_workers_that_all_want_it():
    fleet = Fleet(1, 3)
    fleet.settle()
    for worker in fleet.workers:
        worker.waiting = 5
    for _ in range(200):
        fleet.settle(1)
        for worker in fleet.workers:
            worker.running = 0
    assert [worker.waiting for worker in fleet.workers] == [0, 0, 0]


def test_busy_workers_are_left_alone():
    fleet = Fleet(50, 3)
    fleet.settle()
    for worker in fleet.workers:
        worker.waiting = 1000
    fleet.settle()
    pushes = fleet.pushes
    for _ in range(20):
        for worker in fleet.workers:
            worker.running -= 3
        fleet.settle(1)
    assert fleet.pushes == pushes


def test_share_of_a_worker_that_stays_away_is_free_even_if_its_last_word_came_late():
    fleet = Fleet(10, 2)
    dead, living = fleet.workers
    with fleet.shares.following(dead.name), fleet.shares.following(living.name):
        fleet.settle()
        last_word = dead.demand()
    with fleet.shares.following(living.name):
        fleet.shares.report(last_word)
        assert fleet.shares.current.by_worker[dead.name][""] == 5
        for call in fleet.due:
            call()
    assert dead.name not in fleet.shares.current.by_worker
