"""What refusals and failures do to the pace of the queue, with a clock of the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codexia.batches import Outcome
from codexia_supervisor.batches.pace import FAILURES
from codexia_supervisor.batches.queue import MAX_LIMIT_S, Queue, Wait
from codexia_supervisor.batches.states import LIFETIME_S, BatchRecord
from codexia_supervisor.batches.turns import Item

if TYPE_CHECKING:
    from collections.abc import Iterable

CONCURRENCY = 8


class Clocked:
    """A queue with one worker, in which batches have 100 items each."""

    def __init__(self, *batches: int) -> None:
        self.now = 1000.0
        self.queue = Queue()
        self.queue.come("w", 1, [], self.now)
        for number in batches:
            state = (number, f"b{number}", "", "messages", "/v1/messages", "in_progress")
            self.queue.put(BatchRecord(*state, 100, 0, 0, 0, LIFETIME_S))
            items = [Item(number * 100 + n, number, 0, 1) for n in range(100)]
            self.queue.feed(number, items, number * 100 + 100, complete=True)

    def begin(self) -> list[Item]:
        """Return what begins now."""
        return self.queue.assign(CONCURRENCY, lambda _: False, self.now).get("w", [])

    def finish(self, items: Iterable[Item], **how: Any) -> None:
        """Let items have outcomes, and go back if those are none."""
        items = list(items)
        made = [Outcome(item=item.number, request_id="", body={}, **how) for item in items]
        taken = self.queue.take("w", made, CONCURRENCY, self.now)
        waiting = {item.number: item for item in items} if how["status"] >= 400 else {}
        self.queue.settle(taken, waiting)


PLAN = {"status": 429, "cause": "usage_limit_reached"}


def test_a_plan_limit_holds_up_its_batch_and_no_other():
    clocked = Clocked(1, 2)
    limited = [item for item in clocked.begin() if item.batch == 1]
    clocked.finish(limited, **PLAN, retry_after_s=600.0)
    assert {item.batch for item in clocked.begin()} == {2}
    assert clocked.queue.wait(1, clocked.now) == Wait(1600.0, "the plan's limit is reached")
    assert clocked.queue.wait(2, clocked.now) == Wait()
    assert clocked.queue.next_at(clocked.now) == 1600.0
    clocked.now = 1600.0
    assert clocked.queue.wait(1, clocked.now) == Wait()


def test_a_plan_limit_of_days_is_tried_every_hour():
    clocked = Clocked(1)
    clocked.finish(clocked.begin(), **PLAN, retry_after_s=400_000.0)
    clocked.now += MAX_LIMIT_S - 1
    assert not clocked.begin()
    clocked.now += 1
    assert len(clocked.begin()) == CONCURRENCY


def test_what_the_account_believes_holds_up_a_batch_until_it_takes_it_back():
    clocked = Clocked(1)
    clocked.queue.believe(1, clocked.now + 90, clocked.now)
    assert not clocked.begin()
    clocked.queue.believe(1, 0.0, clocked.now)
    clocked.finish(clocked.begin(), **PLAN, retry_after_s=1800.0)
    clocked.queue.believe(1, clocked.now + 90, clocked.now)
    assert not clocked.begin()
    clocked.queue.believe(1, 0.0, clocked.now + 30)  # e.g. because credits were bought
    assert len(clocked.begin()) == CONCURRENCY


def test_a_belief_that_only_lapsed_does_not_end_the_wait():
    clocked = Clocked(1)
    clocked.finish(clocked.begin(), **PLAN, retry_after_s=1800.0)
    clocked.queue.believe(1, clocked.now + 90, clocked.now)
    clocked.now += 91
    clocked.queue.believe(1, 0.0, clocked.now)
    assert not clocked.begin()


def test_an_unreachable_backend_costs_no_attempt_and_slows_the_queue():
    clocked = Clocked(1)
    items = clocked.begin()
    clocked.finish(items, status=502, cause="upstream_unreachable", retryable=True)
    assert clocked.queue.wait(1, clocked.now).reason == "the backend cannot be reached"
    assert not clocked.begin()
    clocked.now += 1.0
    again = clocked.begin()
    assert again == items[: CONCURRENCY // 2]
    assert {item.attempts for item in again} == {0}


def test_failures_in_a_row_slow_the_queue_and_single_ones_do_not():
    clocked = Clocked(1)
    for _ in range(2 * FAILURES):
        first, second, *_ = clocked.begin()
        clocked.finish([first], status=502, cause="upstream_error", retryable=True)
        clocked.finish([second], status=200)
        clocked.now += 0.1
    assert clocked.queue.wait(1, clocked.now) == Wait()
    for _ in range(FAILURES):
        [item, *_] = clocked.begin()
        clocked.finish([item], status=502, cause="upstream_error", retryable=True)
        clocked.now += 0.1
    assert clocked.queue.wait(1, clocked.now).reason == "the backend fails"


def test_live_requests_that_are_overloaded_slow_the_queue():
    clocked = Clocked(1)
    clocked.queue.pace.refused("overload", None, CONCURRENCY, clocked.now - 0.5, clocked.now)
    assert not clocked.begin()
    clocked.now += 1.0
    assert len(clocked.begin()) == CONCURRENCY // 2
