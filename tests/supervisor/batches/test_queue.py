"""The queue in memory, played through by hypothesis with a clock and a disk of the test's own."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from codexia.batches import Outcome
from codexia_supervisor.batches.queue import REUNION_S, Queue, Settling
from codexia_supervisor.batches.states import LIFETIME_S, BatchRecord, begins, counts, ends
from codexia_supervisor.batches.turns import Item
from codexia_supervisor.batches.verdicts import MAX_ATTEMPTS, Retried, Settled, judge

CONCURRENCY = 4
FETCHED = 3
WORKERS = ("a", "b", "c")

OUTCOMES = st.sampled_from(
    [
        {"status": 200},
        {"status": 200},
        {"status": 400},
        {"status": 502, "retryable": True},
        {"status": 429, "cause": "usage_limit_reached", "retry_after_s": 60.0},
        {"status": 529, "cause": "server_is_overloaded", "retryable": True},
        {"status": 503, "cause": "worker_stopping", "retryable": True},
    ]
)


class Desk(RuleBasedStateMachine):
    """Drives the queue as the dispatcher does; `batches` and `items` are what is on disk."""

    def __init__(self) -> None:
        super().__init__()
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

    @rule(size=st.integers(1, 8), key=st.sampled_from(["x", "y"]))
    def create(self, size: int, key: str) -> None:
        number = len(self.batches) + 1
        batch = BatchRecord(
            *(number, f"b{number}", key, "messages", "/v1/messages", "in_progress", size, 0, 0),
            *(int(self.now), int(self.now) + LIFETIME_S),
        )
        self.batches[number] = batch
        for _ in range(size):
            self.number += 1
            self.items[self.number] = Item(self.number, number, 0, 1)
        self.queue.put(batch)

    @rule(worker=st.sampled_from(WORKERS))
    def come(self, worker: str) -> None:
        if worker not in self.connected:
            self.connected.add(worker)
            holding = [self.items[number] for number in self.at[worker] if self.pending(number)]
            self.queue.come(worker, 1, holding, self.now)

    @rule(worker=st.sampled_from(WORKERS), dies=st.booleans())
    def go(self, worker: str, dies: bool) -> None:
        if worker in self.connected:
            self.connected.discard(worker)
            self.queue.go(worker, self.now)
        if dies:
            self.at[worker].clear()

    @rule(seconds=st.sampled_from([0.1, 1.5, 10.0, 100.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def round(self) -> None:
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

    @rule(worker=st.sampled_from(WORKERS), outcome=OUTCOMES, which=st.integers(0, 10))
    def finish(self, worker: str, outcome: dict[str, object], which: int) -> None:
        if self.at[worker]:
            number = sorted(self.at[worker])[which % len(self.at[worker])]
            made = Outcome.model_validate(
                {"item": number, "request_id": "r", "body": {}, **outcome}
            )
            self.taken += self.queue.take(worker, [made], CONCURRENCY, self.now)
            if all(each.outcome.item != number for each in self.taken):
                self.at[worker].discard(number)

    @rule(written=st.booleans())
    def commit(self, written: bool) -> None:
        taken, self.taken = self.taken, []
        if not written:
            self.queue.keep(taken, self.now)
            return
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

    @rule(which=st.integers(1, 5))
    def cancel(self, which: int) -> None:
        batch = self.batches.get(which)
        if batch is not None and batch.state == "in_progress":
            batch = replace(batch, state="canceling", cancel_initiated_at=int(self.now))
            self.batches[which] = batch
            self.queue.put(batch)

    @rule()
    def restart(self) -> None:
        """The supervisor is killed; workers live on, and come back soon."""
        self.taken = []
        self.queue = Queue()
        active = [each for each in self.batches.values() if each.state != "ended"]
        self.queue.restart(active, self.now, reunion=True)
        back = [worker for worker in WORKERS if worker in self.connected]
        self.connected.clear()
        for worker in back:
            self.come(worker)

    @invariant()
    def limits_hold(self) -> None:
        for number, batch in self.batches.items():
            running = self.queue.running(number)
            told = counts(batch, running, self.now)
            assert min(told.model_dump().values()) >= 0
            assert told.total == batch.total
            assert batch.state != "ended" or not ends(batch, 0, self.now)

    def teardown(self) -> None:
        """Everything comes to an end, once workers work and nothing fails any more."""
        self.commit(written=True)
        for worker in WORKERS:
            self.go(worker, dies=True)
        self.now += REUNION_S + 5
        self.queue.assign(CONCURRENCY, lambda _: False, self.now)
        self.come("a")
        for _ in range(2 * len(self.items) + 40):
            self.now += 30
            self.round()
            for number in sorted(self.at["a"]):
                made = Outcome(item=number, status=200, request_id="r", body={})
                self.taken += self.queue.take("a", [made], CONCURRENCY, self.now)
            self.commit(written=True)
        self.end_batches()
        for batch in self.batches.values():
            assert batch.state == "ended", batch
            settled = [item for item in self.items.values() if item.number in self.outcomes]
            assert len([each for each in settled if each.batch == batch.number]) == (
                batch.succeeded + batch.errored
            )
            assert batch.cancel_initiated_at or not batch.unsettled

    def pending(self, number: int) -> bool:
        return number not in self.outcomes

    def end_batches(self) -> None:
        for batch in self.queue.over(self.now):
            ended = replace(self.batches[batch.number], state="ended", ended_at=int(self.now))
            self.batches[batch.number] = ended
            self.queue.put(ended)


Desk.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestQueue = Desk.TestCase


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
