"""What a worker makes of the items that it is given, against a supervisor that only gives them."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from codexia_workers.batch_runner import BatchRunner
from codexia_workers.breathing import MAX_WAIT_S, Breathing
from codexia_workers.worker import Worker
from tests.e2e.processes import Simulator, running_simulator, wait_until
from tests.workers.specs import generation_spec
from tests.workers.work_giver import WorkGiver

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from pathlib import Path

    from codexia.control import GenerationSpec

MESSAGES = "/v1/messages"
CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture
async def giver(tmp_path: Path) -> AsyncGenerator[WorkGiver]:
    async with WorkGiver(tmp_path / "supervisor.sock") as giver:
        yield giver


@pytest.fixture
def specification(tmp_path: Path, simulator: Simulator) -> GenerationSpec:
    return generation_spec(simulator.url, simulator.credentials(), tmp_path / "supervisor.sock")


@pytest.fixture
async def runner(specification: GenerationSpec, giver: WorkGiver) -> AsyncGenerator[BatchRunner]:
    async with running(specification) as runner:
        yield runner


@asynccontextmanager
async def running(spec: GenerationSpec) -> AsyncGenerator[BatchRunner]:
    async with Worker(spec) as worker, asyncio.TaskGroup() as group:
        runner = BatchRunner(worker)
        task = group.create_task(runner.run())
        yield runner
        task.cancel()


def asked(prompt: str, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return {"model": "gpt-5.5", "max_tokens": 9, "messages": messages, **fields}


async def test_item_has_the_answer_of_a_live_request(giver: WorkGiver, runner: BatchRunner):
    giver.give(1, asked("SAY[[one]]"))
    giver.give(2, asked("SAY[[two]]"), CHAT)
    giver.give(3, {"model": "gpt-5.5", "input": "SAY[[three]]", "store": False}, RESPONSES)
    bodies = [(await giver.outcome(item))["body"] for item in (1, 2, 3)]
    assert bodies[0]["content"][0]["text"] == "one"
    assert bodies[1]["choices"][0]["message"]["content"] == "two"
    assert bodies[2]["output"][-1]["content"][0]["text"] == "three"
    assert [(await giver.outcome(item))["status"] for item in (1, 2, 3)] == [200] * 3


async def test_offer_tells_generation_and_keeps_its_name(giver: WorkGiver, runner: BatchRunner):
    await giver.until(lambda: giver.offers)
    giver.hang_up()
    await giver.until(lambda: len(giver.offers) == 2)
    first, second = giver.offers
    assert first.generation == 7
    assert first.worker == second.worker
    assert first.holding == second.holding == ()


async def test_what_runs_is_held_over_a_reconnection_and_not_run_twice(
    giver: WorkGiver, runner: BatchRunner, simulator: Simulator
):
    simulator.http.post("/simulator/reset")
    giver.give(5, asked("STREAM[[deltas=12 gap_ms=100]]"))
    await asyncio.to_thread(_until_started, simulator)
    giver.hang_up()
    await giver.until(lambda: len(giver.offers) == 2)
    assert giver.offers[1].holding == (5,)
    giver.give(5, asked("STREAM[[deltas=12 gap_ms=100]]"))
    assert (await giver.outcome(5))["status"] == 200
    assert simulator.stats["responses_started"] == 1


def _until_started(simulator: Simulator) -> None:
    wait_until(lambda: simulator.stats["responses_started"], "the item runs")


async def test_an_answer_that_is_never_taken_costs_its_item_and_no_other(
    giver: WorkGiver, runner: BatchRunner
):
    giver.never = {b"unspeakable"}
    for item in range(1, 8):
        giver.give(item, asked(f"SAY[[{'unspeakable' if item == 3 else 'fine'}]]"))
    await giver.until(lambda: len(giver.settled) == 7)
    assert [giver.settled[item][0]["status"] for item in range(1, 8)] == [200] * 2 + [500] + [
        200
    ] * 4
    [refused] = giver.settled[3]
    assert refused["body"]["error"]["message"] == "the answer could not be stored"


async def test_what_is_never_taken_at_all_blocks_nothing(giver: WorkGiver, runner: BatchRunner):
    giver.never = {b'"item":3'}
    for item in range(1, 8):
        giver.give(item, {"model": "gpt-5.5"})
    await giver.until(lambda: len(giver.settled) == 6)
    assert 3 not in giver.settled


async def test_an_item_tells_the_tokens_of_its_answer(giver: WorkGiver, runner: BatchRunner):
    giver.give(1, asked("SAY[[one two three]]"))
    tokens = (await giver.outcome(1))["tokens"]
    assert tokens["input_tokens"] > 0
    assert tokens["output_tokens"] > 0


async def test_outcomes_are_kept_until_they_are_taken(giver: WorkGiver, runner: BatchRunner):
    giver.refusing = True
    giver.give(1, asked("SAY[[x]]"))
    giver.hang_up()
    await giver.until(lambda: any(1 in offer.holding for offer in giver.offers) or _again(giver))
    giver.refusing = False
    assert (await giver.outcome(1))["body"]["content"][0]["text"] == "x"
    assert len(giver.settled[1]) == 1


def _again(giver: WorkGiver) -> bool:
    giver.hang_up()
    return False


async def test_outcomes_are_settled_in_groups(giver: WorkGiver, runner: BatchRunner):
    for item in range(200):
        giver.give(item, {"model": "gpt-5.5"})
    await giver.until(lambda: len(giver.settled) == 200)
    assert len(giver.groups) < 100


@pytest.mark.parametrize(
    ("endpoint", "body", "kind"),
    [
        (MESSAGES, {"model": "gpt-5.5", "messages": []}, "invalid_request_error"),
        (MESSAGES, asked("x", stream=True), "invalid_request_error"),
        (CHAT, asked("x", n=2), "invalid_request_error"),
        (RESPONSES, {"model": "gpt-5.5", "background": True}, "invalid_request_error"),
    ],
    ids=["no-max-tokens", "stream", "n", "background"],
)
async def test_a_request_at_fault_is_not_for_another_try(
    giver: WorkGiver, runner: BatchRunner, endpoint: str, body: dict[str, Any], kind: str
):
    giver.give(1, body, endpoint)
    outcome = await giver.outcome(1)
    assert outcome["status"] == 400
    assert outcome["retryable"] is False
    assert outcome["body"]["error"]["type"] == kind
    assert ("request_id" in outcome["body"]) == (endpoint == MESSAGES)
    assert outcome["request_id"].startswith("req_")


@pytest.mark.parametrize(
    ("fault", "status", "cause"),
    [
        ("503", 529, "server_is_overloaded"),
        ("cut after=3", 502, "server_error"),
        ("429", 429, "usage_limit_reached"),
    ],
)
async def test_what_may_pass_is_for_another_try(
    giver: WorkGiver, runner: BatchRunner, fault: str, status: int, cause: str
):
    giver.give(1, asked(f"FAULT[[{fault}]]"))
    outcome = await giver.outcome(1)
    assert (outcome["status"], outcome["cause"]) == (status, cause), outcome
    assert outcome["retryable"] is True


async def test_no_login_is_told_by_its_cause(giver: WorkGiver, specification: GenerationSpec):
    snapshot = specification.snapshot.model_copy(update={"login": None})
    async with running(specification.model_copy(update={"snapshot": snapshot})):
        giver.give(1, asked("x"))
        outcome = await giver.outcome(1)
    assert (outcome["status"], outcome["cause"]) == (401, "login_required")
    assert outcome["retryable"] is True


async def test_a_worker_that_leaves_finishes_and_settles_what_runs(
    giver: WorkGiver, runner: BatchRunner, simulator: Simulator
):
    simulator.http.post("/simulator/reset")
    giver.give(1, asked("STREAM[[deltas=5 gap_ms=50]]"))
    await asyncio.to_thread(_until_started, simulator)
    await runner.leave()
    assert giver.settled[1][0]["status"] == 200


async def test_a_worker_that_leaves_gives_back_what_has_not_begun(
    giver: WorkGiver, runner: BatchRunner
):
    runner.leaving = True
    giver.give(1, asked("x"))
    outcome = await giver.outcome(1)
    assert outcome["cause"] == "worker_stopping"
    assert outcome["retryable"] is True


async def test_nothing_begins_while_the_event_loop_is_late():
    busy = True

    async def keep_busy() -> None:
        while busy:
            spin_until = time.monotonic() + 0.06
            while time.monotonic() < spin_until:
                pass
            await asyncio.sleep(0)

    async with asyncio.timeout(MAX_WAIT_S - 1), asyncio.TaskGroup() as group:
        group.create_task(keep_busy())
        waiting = group.create_task(Breathing().calm())
        await asyncio.wait([waiting], timeout=0.5)
        assert not waiting.done()
        busy = False
        await waiting
