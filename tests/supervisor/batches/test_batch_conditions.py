"""What live requests meet, told by the workers, and what batches then do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.supervisor.batch_worker import BatchWorker
from tests.supervisor.batches.conftest import at_work, request

if TYPE_CHECKING:
    from tests.supervisor.batches.conftest import Office


async def observe(office: Office, **seen: Any) -> None:
    reply = await office.call("POST", "/observed", {"worker": "w", "since": 0.0, **seen})
    assert reply.status_code == 204, reply.text


async def test_a_model_that_the_plan_refuses_holds_up_its_batches_and_no_others(office: Office):
    now = time.time()
    refusal = {"model": "gpt-5.4", "at": now, "message": "used up", "resets_at": int(now) + 3600}
    await observe(office, refusals=[refusal])
    # An effort and a prefix are no part of what the plan knows a model by.
    requests = [request(f"r{n}", model="codex/gpt-5.4-high") for n in range(3)]
    refused = await office.create(requests)
    other = await office.create([request("a", model="gpt-5.5")])
    async with at_work(BatchWorker(office.socket, "w")):
        await office.ended(other["id"])
        waits = await office.when(refused["id"], lambda each: each["waits_until"], "it waits")
    assert (refused["model"], waits["counts"]["pending"]) == ("codex/gpt-5.4-high", 3)
    assert waits["wait_reason"] == "the plan's limit is reached"
    assert now < waits["waits_until"] <= now + 3600


async def test_the_backend_too_busy_for_live_requests_slows_batches(office: Office):
    await observe(office, overloaded_at=time.time())
    batch = await office.create([request("a")])
    waits = await office.when(batch["id"], lambda each: each["waits_until"], "it waits")
    assert waits["wait_reason"] == "the backend is overloaded"
    async with at_work(BatchWorker(office.socket, "w")):
        await office.ended(batch["id"])


async def test_a_batch_tells_the_tokens_of_its_answers(office: Office):
    tokens = {"input_tokens": 100, "cached_tokens": 60, "output_tokens": 10, "reasoning_tokens": 4}

    async def answer(_: dict[str, Any]) -> dict[str, Any]:
        return {"status": 200, "body": {}, "tokens": tokens}

    batch = await office.create([request(f"r{n}") for n in range(3)])
    async with at_work(BatchWorker(office.socket, "w", answer)):
        ended = await office.ended(batch["id"])
    assert ended["tokens"] == {name: 3 * count for name, count in tokens.items()}
