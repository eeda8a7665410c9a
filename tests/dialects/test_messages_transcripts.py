"""Every recorded stream through the Messages dialect, with the official SDK as judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import orjson
import pytest

from codexia.dialects.messages import MESSAGES
from tests.dialects.messages_grammar import accept
from tests.dialects.transcripts import TRANSCRIPTS, chunkings, context, play

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codexia.sse import Event

BODY: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 1000,
    "thinking": {"type": "adaptive"},
    "messages": [{"role": "user", "content": "hi"}],
}

FAILING = {
    "08_failed_midstream",
    "08b_failed_overloaded_prelude",
    "08c_error_event_overloaded",
    "08d_failed_rate_limit",
    "08e_failed_context_length",
    "08f_failed_cyber_policy",
    "22_truncated_eof",
}
COMPLETE = sorted(TRANSCRIPTS.keys() - FAILING)

# Anthropic never answers with an image, so its strict types have no such block.
IN_ANTHROPICS_TERMS = [name for name in COMPLETE if name != "06_image_generation"]


def played(chunks: Iterable[bytes]) -> list[Event]:
    return play(MESSAGES.translate(BODY, context()).reply, chunks)


def collected(events: Iterable[Event]) -> dict[str, Any]:
    collector = MESSAGES.translate(BODY, context()).collector
    for event in events:
        collector.add(event)
    return collector.result()


def sdk(content: bytes, content_type: str) -> anthropic.Anthropic:
    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=content, headers={"content-type": content_type})

    return anthropic.Anthropic(
        base_url="http://gateway.invalid",
        api_key="key",
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.MockTransport(answer)),
        _strict_response_validation=True,
    )


def streamed(events: Iterable[Event]) -> dict[str, Any]:
    with (
        sdk(MESSAGES.encode(events), "text/event-stream") as client,
        client.messages.stream(**BODY) as stream,
    ):
        return stream.get_final_message().to_dict()


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_chunk_borders_make_no_difference(name):
    streams = {
        cut: MESSAGES.encode(played(chunks)) for cut, chunks in chunkings(TRANSCRIPTS[name]).items()
    }
    assert set(streams.values()) == {streams["whole"]}


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_the_stream_is_well_formed(name):
    events = played([TRANSCRIPTS[name]])
    accept(events)
    assert (events[-1]["type"] == "error") == (name in FAILING)


@pytest.mark.parametrize("name", IN_ANTHROPICS_TERMS)
def test_the_sdk_accumulates_what_the_collector_does(name):
    events = played([TRANSCRIPTS[name]])
    assert streamed(events) == collected(events)


@pytest.mark.parametrize("name", IN_ANTHROPICS_TERMS)
def test_the_sdk_takes_the_whole_answer(name):
    whole = collected(played([TRANSCRIPTS[name]]))
    with sdk(orjson.dumps(whole), "application/json") as client:
        assert client.messages.create(**BODY).to_dict() == whole


@pytest.mark.parametrize("name", sorted(FAILING))
def test_the_sdk_raises_on_a_stream_that_broke_off(name):
    with pytest.raises(anthropic.APIStatusError):
        streamed(played([TRANSCRIPTS[name]]))


STOP_REASONS = {
    "01_text": "end_turn",
    "02_reasoning_text": "end_turn",
    "03_parallel_tools": "tool_use",
    "04_custom_tool": "tool_use",
    "05_web_search": "end_turn",
    "07_refusal": "refusal",
    "09_incomplete_max_output_tokens": "max_tokens",
    "09b_incomplete_content_filter": "refusal",
}


@pytest.mark.parametrize("name", STOP_REASONS)
def test_stop_reason(name):
    message = collected(played([TRANSCRIPTS[name]]))
    assert message["stop_reason"] == STOP_REASONS[name]
    refused = STOP_REASONS[name] == "refusal"
    assert message["stop_details"] == (
        {"type": "refusal", "category": None, "explanation": None} if refused else None
    )


TEXTS = {
    "01_text": "Hello! How can I help you today?",
    "01b_text_populated_output": "Hello!",
    "02_reasoning_text": "The answer is 51.",
    "03_parallel_tools": "Checking both cities.",
    "07_refusal": "I can't help with that request.",
    "23_metadata_keepalive": "ok",
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_comes_once_and_whole(name):
    content = collected(played([TRANSCRIPTS[name]]))["content"]
    assert [block["text"] for block in content if block["type"] == "text"] == [TEXTS[name]]


def test_usage_tells_cached_tokens_apart():
    usage = collected(played([TRANSCRIPTS["01_text"]]))["usage"]
    assert usage["input_tokens"] == 1042 - 896
    assert usage["cache_read_input_tokens"] == 896
    assert usage["cache_creation_input_tokens"] == 0
    assert usage["output_tokens"] == 57
    assert usage["output_tokens_details"] == {"thinking_tokens": 21}


def test_a_summary_is_one_thinking_block_with_its_signature():
    thinking = collected(played([TRANSCRIPTS["02_reasoning_text"]]))["content"][0]
    assert thinking["thinking"] == (
        "**Planning the answer**\n\nI need to compare both options.\n\n"
        "**Checking arithmetic**\n\n17*3 is 51."
    )
    assert thinking["signature"].startswith("cdx1.")


def test_reasoning_and_calls_go_back_as_they_came():
    content = collected(played([TRANSCRIPTS["03_parallel_tools"]]))["content"]
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "sunny"}
        for block in content
        if block["type"] == "tool_use"
    ]
    turns = [{"role": "assistant", "content": content}, {"role": "user", "content": results}]
    request = MESSAGES.translate(
        {**BODY, "messages": [*BODY["messages"], *turns]}, context()
    ).request
    assert request is not None
    _, *history = request.body["input"]
    assert history == [
        {"type": "reasoning", "summary": [], "encrypted_content": "gAAAAABqDTX7ENCRYPTED-B"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Checking both cities."}],
        },
        *[
            {
                "type": "function_call",
                "call_id": f"call_CzUkZOKUGBlHR8WaYvUh3vd{key}",
                "name": "get_weather",
                "arguments": orjson.dumps({"city": city}).decode(),
            }
            for key, city in (("A", "Paris"), ("B", "Oslo"))
        ],
        *[
            {
                "type": "function_call_output",
                "call_id": f"call_CzUkZOKUGBlHR8WaYvUh3vd{key}",
                "output": "sunny",
            }
            for key in "AB"
        ],
    ]


def test_a_custom_tools_text_is_its_input():
    (call,) = [
        block
        for block in collected(played([TRANSCRIPTS["04_custom_tool"]]))["content"]
        if block["type"] == "tool_use"
    ]
    assert call["input"] == {"input": "*** Begin Patch\n*** Add File: a.txt\n+hi\n*** End Patch\n"}


def test_a_web_search_is_a_call_its_result_and_citations():
    message = collected(played([TRANSCRIPTS["05_web_search"]]))
    _, call, result, text = message["content"]
    assert (call["type"], call["name"]) == ("server_tool_use", "web_search")
    assert call["input"] == {"query": "python 3.14 release date"}
    assert (result["type"], result["tool_use_id"]) == ("web_search_tool_result", call["id"])
    assert [citation["url"] for citation in text["citations"]] == [
        "https://www.python.org/downloads/"
    ]
    assert message["usage"]["server_tool_use"]["web_search_requests"] == 1


def test_a_generated_image_is_an_image_block():
    image = collected(played([TRANSCRIPTS["06_image_generation"]]))["content"][1]
    assert image["type"] == "image"
    assert image["source"]["media_type"] == "image/png"
    assert image["source"]["data"].startswith("iVBOR")


ERRORS = {
    "08_failed_midstream": "api_error",
    "08b_failed_overloaded_prelude": "overloaded_error",
    "08c_error_event_overloaded": "overloaded_error",
    "08d_failed_rate_limit": "rate_limit_error",
    "08e_failed_context_length": "invalid_request_error",
    "08f_failed_cyber_policy": "invalid_request_error",
    "22_truncated_eof": "api_error",
}


@pytest.mark.parametrize("name", ERRORS)
def test_error_type(name):
    event = played([TRANSCRIPTS[name]])[-1]
    assert event["error"]["type"] == ERRORS[name]
    assert event["request_id"] == "req_0123456789abcdef"


def test_an_overflow_before_output_has_the_text_that_starts_compaction():
    message = played([TRANSCRIPTS["08e_failed_context_length"]])[-1]["error"]["message"]
    assert message == "prompt is too long: 272001 tokens > 272000 maximum"
