"""The vendors' own SDKs, strict validation on, against a real gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.processes import Gateway, Simulator

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.fixture
def claude(gateway: Gateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(
        base_url=gateway.url, api_key="local", _strict_response_validation=True
    ) as client:
        yield client


@pytest.fixture
def gpt(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{gateway.url}/v1", api_key="local", _strict_response_validation=True
    ) as client:
        yield client


@pytest.fixture(autouse=True)
def no_violation(simulator: Simulator) -> Iterator[None]:
    yield
    assert simulator.stats["violations"] == []


def ask(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def test_messages_text_streamed_and_whole(claude: anthropic.Anthropic):
    with claude.messages.stream(
        model="gpt-5.5", max_tokens=99, messages=ask("SAY[[hello]]")
    ) as stream:
        assert "".join(stream.text_stream) == "hello"
        final = stream.get_final_message()
    whole = claude.messages.create(model="gpt-5.5", max_tokens=99, messages=ask("SAY[[hello]]"))
    assert [block.text for block in whole.content if block.type == "text"] == ["hello"]
    assert final.stop_reason == whole.stop_reason == "end_turn"
    assert final.usage.output_tokens == whole.usage.output_tokens > 0
    assert final.id != whole.id


def test_messages_tool_round_with_parallel_calls(claude: anthropic.Anthropic):
    tools: Any = [{"name": "get_weather", "description": "Weather", "input_schema": WEATHER}]
    messages = ask("CALLS[[2]] weather in Paris? call get_weather")
    first = claude.messages.create(model="gpt-5.5", max_tokens=99, tools=tools, messages=messages)
    uses = [block for block in first.content if block.type == "tool_use"]
    assert first.stop_reason == "tool_use"
    assert len({use.id for use in uses}) == 2
    results: Any = [
        {"type": "tool_result", "tool_use_id": use.id, "content": f"sunny {n}"}
        for n, use in enumerate(uses)
    ]
    messages += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": results},
    ]
    second = claude.messages.create(model="gpt-5.5", max_tokens=99, tools=tools, messages=messages)
    assert "sunny 1" in second.content[-1].text  # type: ignore[union-attr]


def test_messages_reasoning_returns_in_its_signature(
    claude: anthropic.Anthropic, simulator: Simulator
):
    thinking: Any = {"type": "enabled", "budget_tokens": 4000}
    messages = ask("SAY[[first]]")
    first = claude.messages.create(
        model="gpt-5.5", max_tokens=9999, thinking=thinking, messages=messages
    )
    block = first.content[0]
    assert block.type == "thinking"
    assert block.signature
    messages += [{"role": "assistant", "content": first.content}, *ask("SAY[[second]]")]
    claude.messages.create(model="gpt-5.5", max_tokens=9999, thinking=thinking, messages=messages)
    items = simulator.requests()[-1]["body"]["input"]
    reasoning = [item for item in items if item.get("type") == "reasoning"]
    assert len(reasoning) == 1
    assert reasoning[0]["encrypted_content"]


def test_messages_image_reaches_the_backend(claude: anthropic.Anthropic, simulator: Simulator):
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    content: Any = [{"type": "image", "source": source}, {"type": "text", "text": "SAY[[seen]]"}]
    claude.messages.create(
        model="gpt-5.5", max_tokens=99, messages=[{"role": "user", "content": content}]
    )
    parts = simulator.requests()[-1]["body"]["input"][-1]["content"]
    assert parts[0]["image_url"] == f"data:image/png;base64,{PIXEL}"


def test_messages_structured_output(claude: anthropic.Anthropic):
    answer = claude.messages.create(
        model="gpt-5.5",
        max_tokens=99,
        messages=ask("a person"),
        output_config={"format": {"type": "json_schema", "schema": PERSON}},
    )
    assert '"name"' in answer.content[-1].text  # type: ignore[union-attr]


def test_chat_text_streamed_and_whole(gpt: openai.OpenAI):
    with gpt.chat.completions.stream(
        model="gpt-5.5", messages=ask("SAY[[hello]]"), stream_options={"include_usage": True}
    ) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    whole = gpt.chat.completions.create(model="gpt-5.5", messages=ask("SAY[[hello]]"))
    assert final.choices[0].message.content == whole.choices[0].message.content == "hello"
    assert final.choices[0].finish_reason == whole.choices[0].finish_reason == "stop"
    assert final.usage
    assert whole.usage
    assert final.usage.completion_tokens == whole.usage.completion_tokens > 0


def test_chat_tool_round_with_parallel_calls(gpt: openai.OpenAI):
    tools: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}]
    messages = ask("CALLS[[2]] weather in Paris? call get_weather")
    first = gpt.chat.completions.create(model="gpt-5.5", tools=tools, messages=messages).choices[0]
    assert first.finish_reason == "tool_calls"
    calls = first.message.tool_calls or []
    assert len(calls) == 2
    messages.append(first.message.model_dump(exclude_none=True))
    messages += [
        {"role": "tool", "tool_call_id": call.id, "content": f"sunny {n}"}
        for n, call in enumerate(calls)
    ]
    second = gpt.chat.completions.create(model="gpt-5.5", tools=tools, messages=messages)
    assert "sunny 1" in (second.choices[0].message.content or "")


def test_chat_image_and_structured_output(gpt: openai.OpenAI, simulator: Simulator):
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    answer = gpt.chat.completions.create(
        model="gpt-5.5",
        messages=[{"role": "user", "content": [{"type": "text", "text": "who?"}, image]}],  # type: ignore[list-item]
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "person", "schema": PERSON, "strict": True},
        },
    )
    assert '"age"' in (answer.choices[0].message.content or "")
    parts = simulator.requests()[-1]["body"]["input"][-1]["content"]
    assert [part["type"] for part in parts] == ["input_text", "input_image"]


def test_responses_text_streamed_and_whole(gpt: openai.OpenAI):
    with gpt.responses.stream(model="gpt-5.5", input="SAY[[hello]]") as stream:
        for _ in stream:
            pass
        final = stream.get_final_response()
    whole = gpt.responses.create(model="gpt-5.5", input="SAY[[hello]]")
    assert final.output_text == whole.output_text == "hello"
    assert final.status == whole.status == "completed"
    assert whole.usage
    assert whole.usage.output_tokens > 0


def test_responses_tool_round_with_reasoning(gpt: openai.OpenAI):
    tools: Any = [
        {"type": "function", "name": "get_weather", "parameters": WEATHER, "strict": False}
    ]
    items: list[Any] = ask("weather in Paris? call get_weather")
    first = gpt.responses.create(
        model="gpt-5.5", tools=tools, input=items, reasoning={"effort": "medium", "summary": "auto"}
    )
    call = next(item for item in first.output if item.type == "function_call")
    assert any(item.type == "reasoning" for item in first.output)
    items += [item.model_dump(exclude_none=True) for item in first.output]
    items.append({"type": "function_call_output", "call_id": call.call_id, "output": "sunny"})
    second = gpt.responses.create(model="gpt-5.5", tools=tools, input=items)
    assert "sunny" in second.output_text


def test_models_in_both_shapes(gpt: openai.OpenAI, claude: anthropic.Anthropic):
    ids = [model.id for model in gpt.models.list()]
    assert "gpt-5.5" in ids
    assert [model.id for model in claude.models.list(limit=2)] == ids
    assert gpt.models.retrieve("gpt-5.5").id == claude.models.retrieve("gpt-5.5").id == "gpt-5.5"
    with pytest.raises(openai.NotFoundError):
        gpt.models.retrieve("no-such-model")
    with pytest.raises(anthropic.NotFoundError):
        claude.models.retrieve("no-such-model")


def test_refused_model_is_a_bad_request_in_both_dialects(
    gpt: openai.OpenAI, claude: anthropic.Anthropic
):
    with pytest.raises(openai.BadRequestError, match="not supported"):
        gpt.chat.completions.create(model="gpt-0", messages=ask("hi"))
    with pytest.raises(anthropic.BadRequestError, match="not supported"):
        claude.messages.create(model="gpt-0", max_tokens=9, messages=ask("hi"))
