"""Stored responses from outside: the OpenAI SDK against two workers, and processes that die."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest

from tests.e2e.processes import log_in, running_gateway, wait_until, write_config
from tests.e2e.test_process_death import free_address
from tests.e2e.test_vendor_sdks import PIXEL, WEATHER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.processes import Gateway, Simulator

TOOLS: Any = [
    {
        "type": "function",
        "name": "get_weather",
        "description": "Weather",
        "parameters": WEATHER,
        "strict": False,
    }
]
WORKERS = ("--workers", "2")


@contextmanager
def sdk(gateway: Gateway, key: str = "local") -> Iterator[openai.OpenAI]:
    """Give a strict client with a connection of its own for each request."""
    limits = httpx.Limits(max_keepalive_connections=0)
    with openai.OpenAI(
        base_url=f"{gateway.url}/v1",
        api_key=key,
        max_retries=0,
        _strict_response_validation=True,
        http_client=httpx.Client(limits=limits, timeout=20, trust_env=False),
    ) as client:
        yield client


@pytest.fixture
def gpt(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with sdk(gateway) as client:
        yield client


@pytest.fixture(autouse=True)
def no_violation(simulator: Simulator) -> Iterator[None]:
    yield
    assert simulator.stats["violations"] == []


@pytest.fixture
def home(simulator: Simulator, tmp_path: Path) -> Path:
    """A home whose gateway a test may wreck."""
    log_in(tmp_path / "codexia", simulator)
    return tmp_path / "codexia"


def ask(client: openai.OpenAI, text: Any, previous: str | None = None, **fields: Any) -> Any:
    if previous is not None:
        fields["previous_response_id"] = previous
    return client.responses.create(model="gpt-5.5", input=text, **fields)


def stored_puts(gateway: Gateway) -> int:
    """Return how often the supervisor was called for stored responses."""
    return gateway.status()["counters"].get("/responses/{response_id}", 0)


def last_input(simulator: Simulator) -> list[dict[str, Any]]:
    return simulator.requests()[-1]["body"]["input"]


def assert_not_found(client: openai.OpenAI, response_id: str) -> None:
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response_id)
    with pytest.raises(openai.NotFoundError):
        client.responses.input_items.list(response_id)
    with pytest.raises(openai.NotFoundError):
        client.responses.cancel(response_id)
    with pytest.raises(openai.NotFoundError):
        client.responses.delete(response_id)
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, "SAY[[more]]", response_id)
    assert refused.value.code == "previous_response_not_found"
    assert refused.value.param == "previous_response_id"
    assert refused.value.body["message"] == f"Previous response with id '{response_id}' not found."


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Let a worker stand still, so that the other one serves."""
    os.kill(pid, signal.SIGSTOP)
    try:
        # On a busy machine its other threads go on for a while, and take connections.
        wait_until(lambda: threads_stand_still(pid), "every thread stands still")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def threads_stand_still(pid: int) -> bool:
    stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


def test_chain_with_tools_over_two_workers_and_a_restart(simulator: Simulator, home: Path):
    with running_gateway(home, simulator, *WORKERS) as gateway, sdk(gateway) as gpt:
        one, other = gateway.worker_pids()
        with stopped(one):
            first = ask(gpt, "call get_weather", tools=TOOLS, instructions="be brief", reasoning={})
        call = next(item for item in first.output if item.type == "function_call")
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
        with stopped(other):
            second = ask(gpt, [result], first.id, tools=TOOLS)
    assert "sunny" in second.output_text
    assert second.previous_response_id == first.id
    second_request = simulator.requests()[-1]["body"]
    assert second_request["instructions"] == ""
    with running_gateway(home, simulator, *WORKERS) as gateway, sdk(gateway) as gpt:
        third = ask(gpt, "SAY[[third]]", second.id)
        assert third.output_text == "third"
    items = last_input(simulator)
    kinds = [item["type"] for item in items if item["type"] != "reasoning"]
    assert kinds == ["message", "function_call", "function_call_output", "message", "message"]
    assert all(item["encrypted_content"] for item in items if item["type"] == "reasoning")
    keys = {request["body"]["prompt_cache_key"] for request in simulator.requests()}
    assert len(keys) == 1


def test_retrieve_is_what_was_answered_streamed_or_whole(gpt: openai.OpenAI):
    whole = ask(gpt, "SAY[[whole]]", metadata={"k": "v"})
    with gpt.responses.stream(model="gpt-5.5", input="SAY[[streamed]]") as stream:
        streamed = stream.get_final_response()
    for response in (whole, streamed):
        again = gpt.responses.retrieve(response.id)
        assert again.store is True
        assert again.to_dict() == gpt.responses.retrieve(response.id).to_dict()
        assert again.output_text == response.output_text
    assert gpt.responses.retrieve(whole.id).to_dict() == whole.to_dict()


def test_incomplete_is_stored_and_failed_is_not(gpt: openai.OpenAI):
    failed = None
    for event in ask(gpt, "PLAY[[08_failed_midstream]]", stream=True):
        failed = event
    assert failed is not None
    assert failed.type == "response.failed"
    with pytest.raises(openai.NotFoundError):
        gpt.responses.retrieve(failed.response.id)
    partial = ask(gpt, "PLAY[[09_incomplete_max_output_tokens]]")
    assert partial.status == "incomplete"
    assert gpt.responses.retrieve(partial.id).status == "incomplete"


def test_deleted_is_gone(gpt: openai.OpenAI):
    response = ask(gpt, "SAY[[x]]")
    reply = gpt.responses.with_raw_response.delete(response.id)
    assert reply.http_response.json() == {
        "id": response.id,
        "object": "response",
        "deleted": True,
    }
    assert_not_found(gpt, response.id)


def test_cancel_and_streamed_retrieval_are_refused(gpt: openai.OpenAI):
    response = ask(gpt, "SAY[[x]]")
    with pytest.raises(openai.BadRequestError, match="cannot cancel a synchronous response"):
        gpt.responses.cancel(response.id)
    with pytest.raises(openai.BadRequestError, match="cannot be streamed"):
        gpt.responses.retrieve(response.id, stream=True)


@pytest.mark.parametrize(
    "response_id", ["resp_" + "0" * 40, "resp_..%2Fx", "x", "resp_" + "a" * 500]
)
def test_unknown_ids_are_not_found(gpt: openai.OpenAI, response_id: str):
    with pytest.raises(openai.NotFoundError):
        gpt.responses.retrieve(response_id)
    with pytest.raises(openai.BadRequestError) as refused:
        ask(gpt, "SAY[[more]]", response_id)
    assert refused.value.code == "previous_response_not_found"


def test_tokens_of_a_conversation_are_counted_with_what_went_before(gpt: openai.OpenAI):
    first = ask(gpt, "SAY[[one two three four five six seven]]")
    count = gpt.responses.input_tokens.count
    alone = count(model="gpt-5.5", input="more").input_tokens
    after = count(model="gpt-5.5", input="more", previous_response_id=first.id).input_tokens
    assert after > alone + 14
    with pytest.raises(openai.BadRequestError) as refused:
        count(model="gpt-5.5", input="more", previous_response_id="resp_0")
    assert refused.value.code == "previous_response_not_found"


def test_input_items_in_pages(gpt: openai.OpenAI):
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}
    messages = [
        {"role": "user", "content": [image, {"type": "input_text", "text": "one"}]},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "SAY[[three]]"},
    ]
    response = ask(gpt, messages)
    newest = gpt.responses.input_items.list(response.id)
    assert [item.role for item in newest.data] == ["user", "assistant", "user"]
    assert newest.data[0].content[0].text == "SAY[[three]]"
    oldest = gpt.responses.input_items.list(response.id, order="asc", limit=2)
    assert (len(oldest.data), oldest.has_more) == (2, True)
    assert [item.id for item in oldest] == [item.id for item in reversed(newest.data)]
    raw = gpt.responses.input_items.with_raw_response.list(response.id, after=newest.data[1].id)
    page = raw.http_response.json()
    assert (page["object"], page["has_more"]) == ("list", False)
    assert page["first_id"] == page["last_id"] == page["data"][0]["id"] == newest.data[2].id


def test_input_items_hold_the_earlier_turns(gpt: openai.OpenAI):
    first = ask(gpt, "call get_weather", tools=TOOLS)
    call = next(item for item in first.output if item.type == "function_call")
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    second = ask(gpt, [result], first.id, tools=TOOLS)
    items = list(gpt.responses.input_items.list(second.id, order="asc"))
    kinds = [item.type for item in items if item.type != "reasoning"]
    assert kinds == ["message", "function_call", "function_call_output"]


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 101}, {"limit": "x"}, {"order": "up"}, {"after": "msg_x"}]
)
def test_pages_that_make_no_sense_are_refused(gpt: openai.OpenAI, query: dict[str, Any]):
    response = ask(gpt, "SAY[[x]]")
    with pytest.raises(openai.BadRequestError) as refused:
        gpt.responses.input_items.list(response.id, extra_query=query)
    assert refused.value.param == next(iter(query))


def test_store_false_calls_nobody_and_is_not_found(gateway: Gateway, gpt: openai.OpenAI):
    before = stored_puts(gateway)
    whole = ask(gpt, "SAY[[x]]", store=False)
    with gpt.responses.stream(model="gpt-5.5", input="SAY[[x]]", store=False) as stream:
        streamed = stream.get_final_response()
    assert stored_puts(gateway) == before
    assert whole.store is streamed.store is False
    for response in (whole, streamed):
        with pytest.raises(openai.NotFoundError):
            gpt.responses.retrieve(response.id)


def test_immediate_follow_up_is_never_missed(gpt: openai.OpenAI):
    previous: str | None = None
    for number in range(200):
        with ask(gpt, f"SAY[[{number}]]", previous, stream=True) as stream:
            completed = next(event for event in stream if event.type == "response.completed")
        # Chains of ten, so that the last one does not carry 200 turns.
        previous = completed.response.id if number % 10 else None


def test_other_keys_see_nothing(simulator: Simulator, home: Path):
    keys = [{"name": "a", "key": "key-a"}, {"name": "b & c=?", "key": "key-b"}]
    write_config(home, api_key="key-0", api_keys=keys)
    with (
        running_gateway(home, simulator, *WORKERS) as gateway,
        sdk(gateway, "key-a") as mine,
        sdk(gateway, "key-b") as yours,
        sdk(gateway, "key-0") as default,
    ):
        response = ask(mine, "SAY[[secret]]")
        assert_not_found(yours, response.id)
        assert_not_found(default, response.id)
        assert ask(mine, "SAY[[more]]", response.id).output_text == "more"
        own = ask(yours, "SAY[[own]]")
        assert yours.responses.retrieve(own.id).output_text == "own"
        assert_not_found(mine, own.id)


def test_supervisor_killed_in_between(simulator: Simulator, home: Path):
    flags = (*WORKERS, "--bind", free_address())
    with running_gateway(home, simulator, *flags) as gateway, sdk(gateway) as gpt:
        first = ask(gpt, "SAY[[first]]")
        gateway.stop(signal.SIGKILL)
        unstored = ask(gpt, "SAY[[still here]]")
        assert unstored.output_text == "still here"
        with pytest.raises(openai.InternalServerError) as unavailable:
            ask(gpt, "SAY[[more]]", first.id)
        assert unavailable.value.status_code == 503
        with running_gateway(home, simulator, *flags):
            assert ask(gpt, "SAY[[second]]", first.id).output_text == "second"
            assert [item["role"] for item in last_input(simulator) if "role" in item] == [
                "user",
                "assistant",
                "user",
            ]


def test_bounds_are_live_and_prune_the_oldest(simulator: Simulator, home: Path):
    with running_gateway(home, simulator, *WORKERS) as gateway, sdk(gateway) as gpt:
        # Text of random digits, since what compresses well takes no room.
        responses = [ask(gpt, f"SAY[[x]] {os.urandom(400_000).hex()}") for _ in range(5)]
        write_config(home, response_store_max_mb=1)

        def kept() -> list[str]:
            found = []
            for response in responses:
                try:
                    found.append(gpt.responses.retrieve(response.id).id)
                except openai.NotFoundError:
                    continue
            return found

        wait_until(lambda: len(kept()) == 2, "two responses are left")
        assert kept() == [response.id for response in responses[-2:]]
        write_config(home, response_store_max_age_h=0.0001)
        wait_until(lambda: not kept(), "all are too old")


def test_state_that_cannot_be_used_costs_only_what_is_stored(simulator: Simulator, home: Path):
    (home / "state.db").write_bytes(b"not a database. " * 1000)
    with running_gateway(home, simulator, *WORKERS) as gateway, sdk(gateway) as gpt:
        response = ask(gpt, "SAY[[served]]")
        assert response.output_text == "served"
        with pytest.raises(openai.InternalServerError, match="move it away"):
            gpt.responses.retrieve(response.id)
        assert any("not a database" in problem for problem in gateway.status()["problems"])
        assert [line for line in gateway.lines if "responses are not stored" in line]


def test_state_that_is_locked_costs_only_what_is_stored(simulator: Simulator, home: Path):
    with running_gateway(home, simulator, *WORKERS) as gateway, sdk(gateway) as gpt:
        first = ask(gpt, "SAY[[first]]")
        blocker = sqlite3.connect(home / "state.db", isolation_level=None)
        blocker.execute("BEGIN EXCLUSIVE")
        assert ask(gpt, "SAY[[served]]").output_text == "served"
        assert any("locked" in problem for problem in gateway.status()["problems"])
        blocker.execute("ROLLBACK")
        blocker.close()

        def found() -> bool:
            try:
                return gpt.responses.retrieve(first.id).id == first.id
            except openai.InternalServerError:
                return False

        wait_until(found, "the file is used again")
        assert gateway.status()["problems"] == []
