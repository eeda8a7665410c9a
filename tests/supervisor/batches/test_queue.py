"""The queue in memory, played through with a clock and a disk of the test's own."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from codexia.batches import Outcome
from codexia_supervisor.batches.queue import REUNION_S, Queue, Settling
from codexia_supervisor.batches.states import LIFETIME_S, BatchRecord, begins, counts, ends
from codexia_supervisor.batches.turns import Item
from codexia_supervisor.batches.verdicts import MAX_ATTEMPTS, Retried, Settled, judge

CONCURRENCY = 4
FETCHED = 3
WORKERS = ("a", "b", "c")

OUTCOMES = (
    {"status": 200},
    {"status": 200},
    {"status": 200},
    {"status": 400},
    {"status": 502, "retryable": True},
    {"status": 429, "cause": "usage_limit_reached", "retry_after_s": 60.0},
    {"status": 529, "cause": "server_is_overloaded", "retryable": True},
    {"status": 503, "cause": "worker_stopping", "retryable": True},
)
WAITS_S = (0.1, 0.1, 1.5, 10.0, 100.0)


class Desk:
    """Drives the queue as the dispatcher does; `batches` and `items` are what is on disk.

    Each step takes a number, which makes its choices.
    """

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.batches: dict[int, BatchRecord] = {}
        self.items: dict[int, Item] = {}
        self.outcomes: dict[int, bool] = {}
        self.connected: set[str] = set()
        self.at: dict[str, set[int]] = {worker: set() for worker in WORKERS}
        self.taken: list[Settling] = []
        self.number = 0
        self.queue = Queue()
        self.queue.restart([], self.now, reunion=False)

    def create(self, choice: int) -> None:
        number, size, key = len(self.batches) + 1, choice % 8 + 1, "xy"[choice % 2]
        batch = BatchRecord(
            *(number, f"b{number}", key, "messages", "/v1/messages", "in_progress", size, 0, 0),
            *(int(self.now), int(self.now) + LIFETIME_S),
        )
        self.batches[number] = batch
        for _ in range(size):
            self.number += 1
            self.items[self.number] = Item(self.number, number, 0, 1)
        self.queue.put(batch)

    def come(self, choice: int) -> None:
        worker = WORKERS[choice % 3]
        if worker not in self.connected:
            self.connected.add(worker)
            holding = [self.items[number] for number in self.at[worker] if self.pending(number)]
            self.queue.come(worker, 1, holding, self.now)

    def go(self, choice: int) -> None:
        worker = WORKERS[choice % 3]
        if worker in self.connected:
            self.connected.discard(worker)
            self.queue.go(worker, self.now)

    def die(self, choice: int) -> None:
        self.go(choice)
        self.at[WORKERS[choice % 3]].clear()

    def wait(self, choice: int) -> None:
        self.now += WAITS_S[choice % len(WAITS_S)]
        self.round(0)

    def round(self, _: int) -> None:
        self.end_batches()
        for number, cursor in self.queue.hungry():
            rest = [
                item
                for item in self.items.values()
                if item.batch == number and item.number > cursor and self.pending(item.number)
            ]
            fetched = rest[:FETCHED]
            last = fetched[-1].number if fetched else cursor
            self.queue.feed(number, fetched, last, complete=len(fetched) < FETCHED)
        for worker, items in self.queue.assign(CONCURRENCY, lambda _: False, self.now).items():
            assert worker in self.connected
            for item in items:
                assert self.pending(item.number)
                assert begins(self.batches[item.batch], self.now)
                assert item.not_before <= self.now
                self.at[worker].add(item.number)

    def finish(self, choice: int) -> None:
        """A worker says how an item went; it says so again until that is on disk."""
        running = [(each, number) for each in WORKERS for number in sorted(self.at[each])]
        if not running:
            return
        worker, number = running[choice % len(running)]
        outcome = OUTCOMES[choice // 100 % len(OUTCOMES)]
        made = Outcome.model_validate({"item": number, "request_id": "r", "body": {}, **outcome})
        self.taken += self.queue.take(worker, [made], CONCURRENCY, self.now)
        if all(each.outcome.item != number for each in self.taken):
            self.at[worker].discard(number)

    def fail(self, _: int) -> None:
        taken, self.taken = self.taken, []
        self.queue.keep(taken, self.now)
        self.queue.restart(self.active(), self.now, reunion=False)

    def commit(self, _: int) -> None:
        taken, self.taken = self.taken, []
        assert len({each.outcome.item for each in taken}) == len(taken)
        waiting: dict[int, Item] = {}
        succeeded: dict[int, int] = {}
        errored: dict[int, int] = {}
        for each in taken:
            number = each.outcome.item
            for held in self.at.values():
                held.discard(number)
            item = self.items[number]
            batch = self.batches[item.batch]
            if not self.pending(number) or batch.state == "ended":
                continue
            match judge(each.outcome, item.attempts):
                case Settled(good):
                    assert number not in self.outcomes
                    self.outcomes[number] = good
                    changed = succeeded if good else errored
                    changed[batch.number] = changed.get(batch.number, 0) + 1
                    continue
                case Retried(attempts, after_s):
                    assert attempts < MAX_ATTEMPTS
                    item = replace(item, attempts=attempts, not_before=self.now + after_s)
                    self.items[number] = item
                case _:
                    pass
            waiting[number] = item
        for number in succeeded.keys() | errored.keys():
            batch = self.batches[number]
            self.batches[number] = replace(
                batch,
                succeeded=batch.succeeded + succeeded.get(number, 0),
                errored=batch.errored + errored.get(number, 0),
            )
        self.queue.settle(taken, waiting)
        self.queue.count(succeeded, errored)
        self.round(0)

    def cancel(self, choice: int) -> None:
        batch = self.batches.get(choice % 5 + 1)
        if batch is not None and batch.state == "in_progress":
            batch = replace(batch, state="canceling", cancel_initiated_at=int(self.now))
            self.batches[batch.number] = batch
            self.queue.put(batch)

    def restart(self, _: int) -> None:
        """The supervisor is killed; workers live on, and come back soon."""
        self.taken = []
        self.queue = Queue()
        self.queue.restart(self.active(), self.now, reunion=True)
        back = [choice for choice, worker in enumerate(WORKERS) if worker in self.connected]
        self.connected.clear()
        for choice in back:
            self.come(choice)

    def check(self) -> None:
        for number, batch in self.batches.items():
            running = self.queue.running(number)
            told = counts(batch, running, self.now)
            assert min(told.model_dump().values()) >= 0
            assert told.total == batch.total
            assert batch.state != "ended" or not ends(batch, 0, self.now)

    def end(self) -> None:
        """Everything comes to an end, once workers work and nothing fails any more."""
        self.commit(0)
        for choice in range(len(WORKERS)):
            self.die(choice)
        self.now += REUNION_S + 5
        self.queue.assign(CONCURRENCY, lambda _: False, self.now)
        self.come(0)
        for _ in range(2 * len(self.items) + 40):
            self.now += 30
            self.round(0)
            for number in sorted(self.at["a"]):
                made = Outcome(item=number, status=200, request_id="r", body={})
                self.taken += self.queue.take("a", [made], CONCURRENCY, self.now)
            self.commit(0)
        self.end_batches()
        for batch in self.batches.values():
            assert batch.state == "ended", batch
            settled = [item for item in self.items.values() if item.number in self.outcomes]
            assert len([each for each in settled if each.batch == batch.number]) == (
                batch.succeeded + batch.errored
            )
            assert batch.cancel_initiated_at or not batch.unsettled

    def active(self) -> list[BatchRecord]:
        return [each for each in self.batches.values() if each.state != "ended"]

    def pending(self, number: int) -> bool:
        return number not in self.outcomes

    def end_batches(self) -> None:
        for batch in self.queue.over(self.now):
            ended = replace(self.batches[batch.number], state="ended", ended_at=int(self.now))
            self.batches[batch.number] = ended
            self.queue.put(ended)


STEPS = st.sampled_from(
    ["finish"] * 8
    + ["commit"] * 5
    + ["wait"] * 3
    + ["come"] * 3
    + ["create", "round", "go", "die", "fail", "cancel", "restart"]
)


@settings(max_examples=150)
@given(st.lists(st.tuples(STEPS, st.integers(0, 999)), min_size=50, max_size=150))
def test_every_item_ends_once_whatever_happens(steps: list[tuple[str, int]]):
    desk = Desk()
    for opening in (desk.create, desk.come):
        for choice in (7, 6, 2):
            opening(choice)
    desk.round(0)
    for step, choice in steps:
        getattr(desk, step)(choice)
        desk.check()
    desk.end()


def batch(number: int, key: str = "") -> BatchRecord:
    state = (number, f"b{number}", key, "messages", "/v1/messages", "in_progress", 9, 0, 0)
    return BatchRecord(*state, 0, LIFETIME_S)


def fed(queue: Queue, number: int, size: int) -> None:
    queue.put(batch(number, "x" if number < 3 else "y"))
    items = [Item(number * 100 + n, number, 0, 1) for n in range(size)]
    queue.feed(number, items, number * 100 + size, complete=True)


def test_keys_take_turns_and_the_batches_of_a_key_do():
    queue = Queue()
    for number in (1, 2, 3):
        fed(queue, number, 8)
    queue.come("a", 1, [], 0.0)
    queue.come("b", 1, [], 0.0)
    given = queue.assign(8, lambda _: False, 0.0)
    assert {worker: len(items) for worker, items in given.items()} == {"a": 4, "b": 4}
    by_batch = [item.batch for items in given.values() for item in items]
    assert {number: by_batch.count(number) for number in (1, 2, 3)} == {1: 2, 2: 2, 3: 4}


def test_overload_halves_the_queue_once_and_successes_bring_it_back():
    queue = Queue()
    fed(queue, 1, 8)
    queue.come("a", 1, [], 0.0)
    items = queue.assign(8, lambda _: False, 1.0)["a"]
    refusals = [
        Outcome(item=item.number, status=529, request_id="", body={}, retryable=True)
        for item in items
    ]
    taken = queue.take("a", refusals, 8, 2.0)
    queue.settle(taken, {item.number: item for item in items})
    assert not queue.assign(8, lambda _: False, 2.5)
    items = queue.assign(8, lambda _: False, 3.5)["a"]
    assert len(items) == 4
    for _ in range(32):
        queue.pace.succeeded(8)
    assert queue.pace.allowed(8, 3.5) == 8
