"""References to items of stored responses, by the OpenAI SDK against two workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest

from tests.e2e.processes import log_in, running_gateway, write_config
from tests.e2e.sockets import connected
from tests.e2e.test_stored_responses import TOOLS, WORKERS, ask, last_input, sdk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.processes import Gateway, Simulator

USER: Any = {"role": "user", "content": "call get_weather"}


@pytest.fixture(autouse=True)
def no_violation(simulator: Simulator) -> Iterator[None]:
    yield
    assert simulator.stats["violations"] == []


@pytest.fixture
def gpt(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with sdk(gateway) as client:
        yield client


def references(response: Any) -> list[Any]:
    return [{"type": "item_reference", "id": item.id} for item in response.output]


def assert_unknown(client: openai.OpenAI, reference: Any) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, [reference, {"role": "user", "content": "SAY[[more]]"}])
    error = refused.value
    assert error.body == {
        "message": f"Item with id '{reference['id']}' not found.",
        "type": "invalid_request_error",
        "param": "input",
        "code": None,
    }


def calls(gateway: Gateway, path: str) -> int:
    return gateway.status()["counters"].get(path, 0)


def test_turns_by_references_over_two_workers_and_a_restart(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    reasoning: Any = {"effort": "low", "summary": "auto"}
    with running_gateway(tmp_path, simulator, *WORKERS) as gateway, sdk(gateway) as gpt:
        first = ask(gpt, [USER], tools=TOOLS, reasoning=reasoning)
        call = next(item for item in first.output if item.type == "function_call")
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
        second_input = [USER, *references(first), result]
        second = ask(gpt, second_input, tools=TOOLS, reasoning=reasoning)
        assert "sunny" in second.output_text
    with running_gateway(tmp_path, simulator, *WORKERS) as gateway, sdk(gateway) as gpt:
        more = {"role": "user", "content": "SAY[[third]]"}
        third = ask(gpt, [*second_input, *references(second), more], tools=TOOLS)
        assert third.output_text == "third"
        assert calls(gateway, "/items") == 1
    items = last_input(simulator)
    assert [item["type"] for item in items if item["type"] != "reasoning"] == [
        "message",
        "function_call",
        "function_call_output",
        "message",
        "message",
    ]
    by_id = {item["id"]: item for item in items if "id" in item}
    assert by_id.keys() == {item.id for item in [*first.output, *second.output]}
    thoughts = [item for item in items if item["type"] == "reasoning"]
    assert thoughts
    assert all(item["encrypted_content"] for item in thoughts)


def test_streamed_answers_can_be_referred_to(gpt: openai.OpenAI, simulator: Simulator):
    with gpt.responses.stream(model="gpt-5.5", input="SAY[[streamed]]") as stream:
        first = stream.get_final_response()
    more = {"role": "user", "content": "SAY[[more]]"}
    assert ask(gpt, [*references(first), more]).output_text == "more"
    answer = next(item for item in last_input(simulator) if item["type"] == "message")
    assert answer["content"][0]["text"] == "streamed"


def test_tokens_are_counted_and_conversations_compacted_with_what_is_referred_to(
    gpt: openai.OpenAI, simulator: Simulator
):
    first = ask(gpt, "SAY[[one two three four five six seven]]")
    more: Any = {"role": "user", "content": "more"}
    count = gpt.responses.input_tokens.count
    alone = count(model="gpt-5.5", input=[more]).input_tokens
    after = count(model="gpt-5.5", input=[*references(first), more]).input_tokens
    assert after > alone + 6
    gpt.responses.compact(model="gpt-5.5", input=references(first))
    assert "one two three" in str(last_input(simulator))


def test_unknown_deleted_and_unstored_items_are_refused(gpt: openai.OpenAI, simulator: Simulator):
    assert_unknown(gpt, {"type": "item_reference", "id": "msg_0"})
    deleted, unstored = ask(gpt, "SAY[[x]]"), ask(gpt, "SAY[[x]]", store=False)
    gpt.responses.delete(deleted.id)
    for response in (deleted, unstored):
        assert_unknown(gpt, references(response)[-1])
    more = {"role": "user", "content": "SAY[[more]]"}
    ask(gpt, [{"type": "item_reference", "id": "rs_0"}, more])
    assert [item["type"] for item in last_input(simulator)] == ["message"]


def test_items_of_another_key_are_unknown(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    write_config(tmp_path, api_key="key-0", api_keys=[{"name": "a & b=?", "key": "key-a"}])
    with (
        running_gateway(tmp_path, simulator, *WORKERS) as gateway,
        sdk(gateway, "key-a") as mine,
        sdk(gateway, "key-0") as default,
    ):
        reference = references(ask(mine, "SAY[[secret]]"))[-1]
        assert_unknown(default, reference)
        more = {"role": "user", "content": "SAY[[more]]"}
        assert ask(mine, [reference, more]).output_text == "more"


def test_input_without_references_asks_for_no_items(gateway: Gateway, gpt: openai.OpenAI):
    before = calls(gateway, "/items")
    first = ask(gpt, "SAY[[x]]")
    ask(gpt, [{"role": "user", "content": "SAY[[more]]"}], first.id)
    assert calls(gateway, "/items") == before


async def test_websocket_knows_its_own_items_and_stored_ones(
    gateway: Gateway, gpt: openai.OpenAI, simulator: Simulator
):
    stored = references(ask(gpt, "SAY[[stored]]"))
    async with connected(gateway.url) as socket:
        first = await socket.turn(input="SAY[[own]]", store=False)
        output = first.response["output"]
        own = [{"type": "item_reference", "id": item["id"]} for item in output]
        before = calls(gateway, "/items")
        more = {"role": "user", "content": "SAY[[more]]"}
        await socket.turn(input=[*own, more])
        assert calls(gateway, "/items") == before
        assert "'own'" in str(last_input(simulator))
        await socket.turn(input=[*stored, *own, more])
        assert calls(gateway, "/items") == before + 1
        assert "'stored'" in str(last_input(simulator))
        missed = await socket.turn(input=[{"type": "item_reference", "id": "msg_0"}])
        assert missed.last["error"]["message"] == "Item with id 'msg_0' not found."
