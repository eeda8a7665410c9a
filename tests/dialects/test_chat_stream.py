"""Chat Completions streams: their grammar, their content, and what the official SDK makes of them."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexia.dialects.chat import CHAT
from codexia.sse import Frame, FrameSplitter
from tests.dialects.chat_grammar import (
    BODY,
    FAILING,
    GOOD,
    assert_grammar,
    assert_sdk_agrees,
    completed,
    replied,
)
from tests.dialects.openai_judge import reply_to, sdk
from tests.dialects.transcripts import TRANSCRIPTS, chunkings, frame, frames


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_how_the_bytes_arrive_makes_no_difference(name: str) -> None:
    wires = set()
    for chunks in chunkings(TRANSCRIPTS[name]).values():
        splitter = FrameSplitter()
        arrived = [frame for chunk in chunks for frame in splitter.feed(chunk)]
        wires.add(reply_to(CHAT, BODY, arrived).wire)

    assert wires == {replied(name).wire}


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_every_transcript_keeps_the_grammar(name: str) -> None:
    assert_grammar(replied(name))


# The SDK's own chunk type knows no custom calls, although the API streams them.
@pytest.mark.parametrize("name", [name for name in GOOD if not name.startswith(("04", "09"))])
def test_the_sdk_accumulates_what_the_collector_returns(name: str) -> None:
    assert_sdk_agrees(replied(name))


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("09_incomplete_max_output_tokens", openai.LengthFinishReasonError),
        ("09b_incomplete_content_filter", openai.ContentFilterFinishReasonError),
    ],
)
def test_the_sdk_sees_why_an_answer_is_incomplete(name: str, error: type[Exception]) -> None:
    client = sdk(replied(name).wire)
    with (
        client.chat.completions.stream(model="m", messages=[]) as stream,
        pytest.raises(error),
    ):
        stream.get_final_completion()


@pytest.mark.parametrize("name", FAILING)
def test_the_sdk_raises_on_a_broken_stream(name: str) -> None:
    with pytest.raises(openai.APIError):
        list(sdk(replied(name).wire).chat.completions.create(model="m", messages=[], stream=True))


OUTCOMES = {
    "01_text": ("Hello! How can I help you today?", "stop"),
    "01b_text_populated_output": ("Hello!", "stop"),
    "02_reasoning_text": ("The answer is 51.", "stop"),
    "03_parallel_tools": ("Checking both cities.", "tool_calls"),
    "04_custom_tool": (None, "tool_calls"),
    "06_image_generation": ("", "stop"),
    "07_refusal": (None, "stop"),
    "09_incomplete_max_output_tokens": ("A very long answer that runs o", "length"),
    "09b_incomplete_content_filter": ("Filte", "content_filter"),
    "23_metadata_keepalive": ("ok", "stop"),
}


@pytest.mark.parametrize(("name", "outcome"), OUTCOMES.items(), ids=OUTCOMES)
def test_content_and_finish_reason(name: str, outcome: tuple[str | None, str]) -> None:
    (choice,) = replied(name).whole["choices"]

    assert (choice["message"]["content"], choice["finish_reason"]) == outcome


def test_ids_and_model_are_the_gateways_and_the_clients() -> None:
    whole = replied("01_text", model="claude-opus-5-5").whole

    assert whole["id"] == "chatcmpl-0123456789abcdef"
    assert whole["created"] == 1_795_363_200
    assert whole["model"] == "claude-opus-5-5"


def test_usage_counts_cached_and_reasoning_tokens() -> None:
    assert replied("01_text").whole["usage"] == {
        "prompt_tokens": 1042,
        "completion_tokens": 57,
        "total_tokens": 1099,
        "prompt_tokens_details": {"cached_tokens": 896},
        "completion_tokens_details": {"reasoning_tokens": 21},
    }


def test_without_include_usage_no_chunk_speaks_of_usage() -> None:
    reply = replied("01_text", stream_options=None)

    assert b"usage" not in reply.wire
    assert all(chunk["choices"] for chunk in reply.payloads())


def test_an_answer_that_is_not_streamed_has_usage() -> None:
    assert (
        replied("01_text", stream=False, stream_options=None).whole["usage"]["total_tokens"] == 1099
    )


def test_reasoning_summaries_are_reasoning_content() -> None:
    message = replied("02_reasoning_text").whole["choices"][0]["message"]

    assert message["reasoning_content"] == (
        "**Planning the answer**\n\nI need to compare both options."
        "\n\n**Checking arithmetic**\n\n17*3 is 51."
    )


def test_parallel_calls_are_numbered() -> None:
    calls = replied("03_parallel_tools").whole["choices"][0]["message"]["tool_calls"]

    assert [call["function"]["arguments"] for call in calls] == [
        '{"city":"Paris"}',
        '{"city":"Oslo"}',
    ]
    assert [call["id"] for call in calls] == [
        "call_CzUkZOKUGBlHR8WaYvUh3vdA",
        "call_CzUkZOKUGBlHR8WaYvUh3vdB",
    ]


def test_a_custom_call_keeps_its_input() -> None:
    (call,) = replied("04_custom_tool").whole["choices"][0]["message"]["tool_calls"]

    assert call["type"] == "custom"
    assert call["custom"]["name"] == "apply_patch"
    assert call["custom"]["input"].startswith("*** Begin Patch\n*** Add File")


def test_legacy_functions_are_answered_with_function_call() -> None:
    reply = replied("03_parallel_tools", functions=[{"name": "get_weather"}])
    (choice,) = reply.whole["choices"]

    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {
        "name": "get_weather",
        "arguments": '{"city":"Paris"}',
    }
    assert b"tool_calls" not in reply.wire


def test_a_refusal_is_not_content() -> None:
    message = replied("07_refusal").whole["choices"][0]["message"]

    assert message["refusal"] == "I can't help with that request."
    assert message["content"] is None


def test_citations_point_into_the_content() -> None:
    text = {
        "type": "output_text",
        "text": "see x.y",
        "annotations": [
            {"type": "url_citation", "start_index": 4, "end_index": 7, "title": "t", "url": "u"}
        ],
    }
    reply = reply_to(
        CHAT,
        BODY,
        [
            frame(
                type="response.output_text.delta", output_index=0, content_index=0, delta="First."
            ),
            frame(
                type="response.output_item.done",
                output_index=1,
                item={"id": "msg_2", "type": "message", "content": [text]},
            ),
            completed(),
        ],
    )
    message = reply.whole["choices"][0]["message"]
    citation = message["annotations"][0]["url_citation"]

    assert message["content"] == "First.\n\nsee x.y"
    assert message["content"][citation["start_index"] : citation["end_index"]] == "x.y"


MESSAGE = {"id": "msg_1", "type": "message", "content": [{"type": "output_text", "text": "Hello"}]}
WHOLE_ONLY = {
    "output_text.done": [
        frame(type="response.output_text.done", output_index=0, content_index=0, text="Hello"),
        completed(),
    ],
    "output_item.done": [
        frame(type="response.output_item.done", output_index=0, item=MESSAGE),
        completed(),
    ],
    "terminal output": [completed(output=[MESSAGE])],
    "everywhere": [
        frame(type="response.output_text.delta", output_index=0, content_index=0, delta="Hel"),
        frame(type="response.output_text.done", output_index=0, content_index=0, text="Hello"),
        frame(type="response.output_item.done", output_index=0, item=MESSAGE),
        completed(output=[MESSAGE]),
    ],
    "terminal output without the reasoning item": [
        frame(type="response.output_text.delta", output_index=1, content_index=0, delta="Hello"),
        frame(type="response.output_item.done", output_index=1, item=MESSAGE),
        completed(output=[MESSAGE]),
    ],
    "a second message": [
        frame(type="response.output_text.delta", output_index=0, content_index=0, delta=""),
        frame(type="response.output_text.delta", output_index=1, content_index=0, delta="Hel"),
        frame(type="response.output_item.done", output_index=1, item=MESSAGE),
        completed(),
    ],
    "a terminal event of the older name": [
        frame(type="response.output_item.done", output_index=0, item=MESSAGE),
        frame(type="response.done", response={}),
    ],
}


@pytest.mark.parametrize("sent", WHOLE_ONLY.values(), ids=WHOLE_ONLY)
def test_text_is_neither_lost_nor_doubled(sent: list[Frame]) -> None:
    reply = reply_to(CHAT, BODY, sent)

    assert reply.whole["choices"][0]["message"]["content"] == "Hello"
    assert_grammar(reply)


def test_messages_of_one_answer_are_paragraphs() -> None:
    sent = [
        frame(type="response.output_text.delta", output_index=0, content_index=0, delta="First."),
        frame(type="response.output_text.delta", output_index=1, content_index=0, delta="Hel"),
        frame(type="response.output_item.done", output_index=1, item=MESSAGE),
        completed(),
    ]

    reply = reply_to(CHAT, BODY, sent)

    assert reply.whole["choices"][0]["message"]["content"] == "First.\n\nHello"


def test_a_call_that_comes_only_whole_is_not_lost() -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
    reply = reply_to(
        CHAT,
        BODY,
        [frame(type="response.output_item.done", output_index=0, item=call), completed()],
    )

    assert reply.whole["choices"][0]["message"]["tool_calls"] == [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ]


@pytest.mark.parametrize(
    ("stop", "content"),
    [
        ("How", "Hello! "),
        (["nothing", " today"], "Hello! How can I help you"),
        ("Hello", ""),
        ("today?!", "Hello! How can I help you today?"),
    ],
)
def test_a_stop_sequence_cuts_the_answer(stop: Any, content: str) -> None:
    reply = replied("01_text", stop=stop)
    (choice,) = reply.whole["choices"]

    assert (choice["message"]["content"], choice["finish_reason"]) == (content, "stop")
    assert_grammar(reply)


def test_unknown_events_do_not_matter() -> None:
    noisy = [
        noise
        for known in frames(TRANSCRIPTS["01_text"])
        for noise in (
            frame(type="response.of_next_year", x=1),
            frame(type="codex.rate_limits"),
            known,
        )
    ]

    assert reply_to(CHAT, BODY, noisy).wire == replied("01_text").wire


indexes = st.integers(0, 2)
texts = st.text(max_size=4)
items = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.just("message"),
            "content": st.lists(
                st.fixed_dictionaries({"type": st.just("output_text"), "text": texts}), max_size=2
            ),
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("function_call"),
            "call_id": texts,
            "name": texts,
            "arguments": texts,
        }
    ),
    st.fixed_dictionaries(
        {"type": st.just("custom_tool_call"), "call_id": texts, "name": texts, "input": texts}
    ),
    st.fixed_dictionaries({"type": st.sampled_from(["reasoning", "of_next_year"])}),
    st.none(),
)
payloads = st.fixed_dictionaries(
    {},
    optional={
        "output_index": indexes,
        "content_index": indexes,
        "summary_index": indexes,
        "delta": st.one_of(texts, st.none()),
        "text": texts,
        "item": items,
    },
)
EVENTS = [
    "response.output_item.added",
    "response.output_item.done",
    "response.output_text.delta",
    "response.output_text.done",
    "response.refusal.delta",
    "response.reasoning_summary_text.delta",
    "response.function_call_arguments.delta",
    "response.custom_tool_call_input.delta",
    "response.of_next_year",
    "response.created",
    "keepalive",
]
ENDINGS = ["response.completed", "response.incomplete", "response.failed", "error", None]


@given(
    events=st.lists(st.tuples(st.sampled_from(EVENTS), payloads), max_size=20),
    ending=st.sampled_from(ENDINGS),
    stop=st.lists(texts, max_size=2),
)
def test_any_sequence_of_events_keeps_the_grammar(
    events: list[tuple[str, dict[str, Any]]], ending: str | None, stop: list[str]
) -> None:
    sent = [frame(type=event, **payload) for event, payload in events]
    sent += [frame(type=ending, response={})] if ending else []

    assert_grammar(reply_to(CHAT, {**BODY, "stop": stop}, sent))
