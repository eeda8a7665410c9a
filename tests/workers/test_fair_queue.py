"""The fair queue: caps, turns among keys, order within one, live before batches."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from codexia_workers.fair_queue import ACCOUNT, FairQueue, Ticket

KEYS = ("laptop", "phone", "")


def queue_of(cap: int, *tickets: Ticket, **by_key: int) -> FairQueue:
    queue = FairQueue()
    queue.limits = {ACCOUNT: cap, **by_key}
    for ticket in tickets:
        queue.enter(ticket)
    return queue


def run_dry(queue: FairQueue) -> list[Ticket]:
    """Return the order in which all run, one after the other."""
    order: list[Ticket] = []
    while admitted := queue.admit():
        order += admitted
        for ticket in admitted:
            queue.leave(ticket)
    return order


def test_keys_take_turns_however_many_requests_one_has():
    many = [Ticket("laptop") for _ in range(100)]
    few = [Ticket("phone") for _ in range(3)]
    order = [ticket.key for ticket in run_dry(queue_of(1, *many, *few))]
    assert order[:6] == ["laptop", "phone"] * 3


def test_live_requests_go_before_items_of_batches():
    batch, live = Ticket("laptop", batch=True), Ticket("laptop")
    assert run_dry(queue_of(1, batch, live)) == [live, batch]


def test_full_key_does_not_hold_up_the_others():
    queue = queue_of(5, *(Ticket("laptop") for _ in range(4)), Ticket("phone"), laptop=1)
    assert [ticket.key for ticket in queue.admit()] == ["laptop", "phone"]


def test_nothing_is_admitted_while_the_cap_is_zero():
    queue = queue_of(0, Ticket(""))
    assert queue.admit() == []
    queue.limits = {}
    assert len(queue.admit()) == 1


@given(
    cap=st.integers(1, 4),
    key_cap=st.integers(1, 3),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("enter"), st.sampled_from(KEYS), st.booleans()),
            st.tuples(st.just("end"), st.integers(0, 50)),
            st.tuples(st.just("cancel"), st.integers(0, 50)),
        ),
        max_size=60,
    ),
)
def test_caps_hold_and_each_line_keeps_its_order(cap, key_cap, steps):
    queue = queue_of(cap, laptop=key_cap)
    waiting: list[Ticket] = []
    running: list[Ticket] = []
    for kind, *arguments in steps:
        if kind == "enter":
            waiting.append(Ticket(*arguments))
            queue.enter(waiting[-1])
        else:
            tickets = running if kind == "end" else waiting
            if tickets:
                queue.leave(tickets.pop(arguments[0] % len(tickets)))
        for ticket in queue.admit():
            line = [
                each for each in waiting if (each.key, each.batch) == (ticket.key, ticket.batch)
            ]
            assert line[0] is ticket
            waiting.remove(ticket)
            running.append(ticket)
        by_key = Counter(ticket.key for ticket in running)
        assert len(running) <= cap
        assert by_key["laptop"] <= key_cap
        assert queue.running[ACCOUNT] == len(running)
        assert queue.waiting[ACCOUNT] == len(waiting)
        # Nobody waits for whom there is room.
        assert len(running) == cap or all(
            each.key == "laptop" and by_key["laptop"] == key_cap for each in waiting
        )
    order = [ticket for ticket in running if queue.leave(ticket) is None] and run_dry(queue)
    assert len(order or run_dry(queue)) == len(waiting)
    assert not queue.running
    assert not queue.waiting


@given(counts=st.lists(st.integers(1, 12), min_size=2, max_size=5))
def test_no_key_runs_twice_while_another_waits(counts):
    tickets = [Ticket(f"key{key}") for key, count in enumerate(counts) for _ in range(count)]
    left = Counter(ticket.key for ticket in tickets)
    served: Counter[str] = Counter()
    for ticket in run_dry(queue_of(1, *tickets)):
        served[ticket.key] += 1
        left[ticket.key] -= 1
        waiting = [key for key, count in left.items() if count]
        assert all(served[ticket.key] <= served[key] + 1 for key in waiting)
