"""Responses streams: what passes, what is rewritten, and what the official SDK makes of them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexia.dialects.responses import RESPONSES
from codexia.sse import Frame, FrameSplitter
from tests.dialects.openai_judge import reply_to, sdk
from tests.dialects.responses_grammar import (
    BODY,
    FAILING,
    GOOD,
    assert_grammar,
    replied,
)
from tests.dialects.transcripts import TRANSCRIPTS, chunkings, frame, frames


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_how_the_bytes_arrive_makes_no_difference(name: str) -> None:
    wires = set()
    for chunks in chunkings(TRANSCRIPTS[name]).values():
        splitter = FrameSplitter()
        arrived = [frame for chunk in chunks for frame in splitter.feed(chunk)]
        wires.add(reply_to(RESPONSES, BODY, arrived).wire)

    assert wires == {replied(name).wire}


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_every_transcript_keeps_the_grammar(name: str) -> None:
    assert_grammar(replied(name))


# The SDK's own type of a web search wants an action before there is one.
def strict(name: str) -> bool:
    return name != "05_web_search"


@pytest.mark.parametrize("name", GOOD)
def test_the_sdk_reads_every_event(name: str) -> None:
    client = sdk(replied(name).wire, strict=strict(name))

    events = list(client.responses.create(model="m", input="hi", stream=True))

    assert [event.sequence_number for event in events] == list(range(len(events)))


@pytest.mark.parametrize("name", [name for name in GOOD if not name.startswith("09")])
def test_the_sdk_accumulates_what_the_collector_returns(name: str) -> None:
    reply = replied(name)
    with sdk(reply.wire, strict=strict(name)).responses.stream(model="m", input="hi") as stream:
        streamed = stream.get_final_response().to_dict()
    whole = sdk(reply.whole).responses.create(model="m", input="hi")

    assert without_parsed(streamed) == without_parsed(whole.to_dict()) == reply.whole


def without_parsed(value: Any) -> Any:
    """Return what the API said, without what the SDK adds to it."""
    if isinstance(value, dict):
        return {
            name: without_parsed(entry)
            for name, entry in value.items()
            if name not in {"parsed", "parsed_arguments"}
        }
    return [without_parsed(entry) for entry in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    "name", ["09_incomplete_max_output_tokens", "09b_incomplete_content_filter"]
)
def test_an_incomplete_answer_says_why(name: str) -> None:
    reply = replied(name)

    assert reply.payloads()[-1]["type"] == "response.incomplete"
    assert reply.whole["status"] == "incomplete"
    assert reply.whole["incomplete_details"]["reason"] in name


FAILURES = {
    "08_failed_midstream": "server_error",
    "08b_failed_overloaded_prelude": "server_is_overloaded",
    "08c_error_event_overloaded": "server_is_overloaded",
    "08d_failed_rate_limit": "rate_limit_exceeded",
    "08e_failed_context_length": "context_length_exceeded",
    "08f_failed_cyber_policy": "cyber_policy",
    "22_truncated_eof": "server_error",
}


@pytest.mark.parametrize(("name", "code"), FAILURES.items(), ids=FAILURES)
def test_a_broken_stream_ends_in_one_response_failed(name: str, code: str) -> None:
    *_, last = replied(name).payloads()

    assert last["type"] == "response.failed"
    assert last["response"]["status"] == "failed"
    assert last["response"]["error"]["code"] == code
    assert last["response"]["error"]["message"]


def test_every_failing_transcript_has_a_case() -> None:
    assert set(FAILURES) == set(FAILING)


def test_events_without_a_response_object_pass_as_they_came() -> None:
    came = [
        frame for frame in frames(TRANSCRIPTS["05_web_search"]) if b'"response":{' not in frame.data
    ]
    went = FrameSplitter().feed(replied("05_web_search").wire)

    assert came == [frame for frame in went if b'"response":{' not in frame.data]
    assert len(came) > 20


def test_a_delta_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    decode = Frame.json

    def spy(frame: Frame) -> dict[str, Any]:
        decoded.append(frame.event)
        return decode(frame)

    with monkeypatch.context() as patch:
        patch.setattr(Frame, "json", spy)
        replied("02_reasoning_text")

    assert set(decoded) == {
        "response.created",
        "response.in_progress",
        "response.output_item.done",
        "response.completed",
    }


def test_output_is_rebuilt_from_the_items() -> None:
    output = replied("03_parallel_tools").whole["output"]

    assert [item["type"] for item in output] == [
        "reasoning",
        "message",
        "function_call",
        "function_call",
    ]
    assert output[0]["encrypted_content"].endswith("-B")


def test_items_are_ordered_by_their_index() -> None:
    sent = [
        frame(type="response.output_item.done", output_index=index, item={"id": f"msg_{index}"})
        for index in (1, 0)
    ]

    reply = reply_to(RESPONSES, BODY, [*sent, frame(type="response.completed", response={})])

    assert [item["id"] for item in reply.whole["output"]] == ["msg_0", "msg_1"]


def test_a_populated_output_stays() -> None:
    output = replied("01b_text_populated_output").whole["output"]

    assert [item["type"] for item in output] == ["reasoning", "message"]


def test_a_compaction_is_exactly_one_item() -> None:
    (item,) = replied("21_compaction_v2").whole["output"]

    assert item["type"] == "compaction"


ECHO = {
    "instructions": "be brief",
    "max_output_tokens": 5,
    "max_tool_calls": 3,
    "metadata": {"a": "b"},
    "prompt_cache_key": "k",
    "safety_identifier": "mine",
    "store": True,
    "temperature": 0.3,
    "top_logprobs": 2,
    "top_p": 0.5,
    "truncation": "auto",
    "user": "u",
}


def test_the_response_repeats_what_the_client_asked_for() -> None:
    reply = replied("01_text", **ECHO)
    carriers = [event["response"] for event in reply.payloads() if "response" in event]

    assert len(carriers) == 3
    for response in carriers:
        assert {name: response[name] for name in ECHO} == ECHO


def test_the_operators_account_is_not_told() -> None:
    assert b"user-XXXX" in TRANSCRIPTS["01_text"]
    assert b"user-XXXX" not in replied("01_text").wire


def test_id_and_creation_time_are_the_backends() -> None:
    whole = replied("01_text").whole

    assert whole["id"] == "resp_0499c1d0b77f23f7016a0d35f97548819196"
    assert whole["created_at"] == 1795363200


def test_a_terminal_event_may_be_minimal() -> None:
    reply = reply_to(RESPONSES, BODY, [frame(type="response.completed", response={})])

    assert_grammar(reply)
    assert reply.whole["id"] == "resp_0123456789abcdef"
    assert reply.whole["status"] == "completed"
    assert reply.whole["model"] == "gpt-5.5"


def test_a_response_that_opens_late_opens_as_if_nothing_had_happened() -> None:
    ended = {"status": "completed", "completed_at": 5, "output": [{"id": "msg_1"}]}
    reply = reply_to(RESPONSES, BODY, [frame(type="response.completed", response=ended)])

    opened, closed = (event["response"] for event in reply.payloads())
    assert (opened["status"], opened["completed_at"], opened["output"]) == ("in_progress", None, [])
    assert (closed["status"], closed["completed_at"]) == ("completed", 5)


def test_the_older_terminal_event_gets_the_newer_name() -> None:
    reply = reply_to(
        RESPONSES,
        BODY,
        [frame(type="response.done", response={"id": "resp_1", "status": "completed"})],
    )

    assert reply.payloads()[-1]["type"] == "response.completed"


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"response.output_text.delta","delta":"x","sequence_number":7}',
        b'{"type":"response.output_text.delta","sequence_number":7,"delta":"x"}',
        b'{"sequence_number" : 7, "type":"response.output_text.delta","delta":"x"} ',
        b'{"type":"response.output_text.delta","delta":"x"}',
        b'{"delta":"x"}',
        b'{"type":"response.output_text.delta","delta":"x","inner":{"sequence_number":1}}',
        b'{"type":"response.output_text.delta","sequence_number":7,"delta":"\\"sequence_number\\":1}"}',
    ],
)
def test_a_wrong_number_is_put_right_wherever_it_stands(data: bytes) -> None:
    delta = Frame("response.output_text.delta", data)

    reply = reply_to(RESPONSES, BODY, [delta, frame(type="response.completed", response={})])

    assert_grammar(reply)
    _, event, _ = reply.payloads()
    expected = {**orjson.loads(data), "type": "response.output_text.delta", "sequence_number": 1}
    assert event == expected


def test_private_events_leave_no_gap() -> None:
    sent = [
        noise
        for known in frames(TRANSCRIPTS["01_text"])
        for noise in (
            frame(type="codex.rate_limits", sequence_number=3),
            frame(type="keepalive"),
            known,
        )
    ]

    assert reply_to(RESPONSES, BODY, sent).wire == replied("01_text").wire


def test_a_numbered_private_event_shifts_what_follows() -> None:
    created, *rest = frames(TRANSCRIPTS["01_text"])
    shifted = [
        Frame(
            known.event,
            orjson.dumps({**known.json(), "sequence_number": known.json()["sequence_number"] + 1}),
        )
        for known in rest
    ]
    private = frame(type="codex.rate_limits", sequence_number=1)

    reply = reply_to(RESPONSES, BODY, [created, private, *shifted])

    assert_grammar(reply)
    assert reply.payloads() == replied("01_text").payloads()


def test_a_frame_that_is_not_json_breaks_the_stream() -> None:
    reply = reply_to(RESPONSES, BODY, [Frame("response.output_text.delta", b"{")])

    assert_grammar(reply)
    assert reply.payloads()[-1]["type"] == "response.failed"


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)
payloads = st.fixed_dictionaries(
    {},
    optional={
        "sequence_number": st.one_of(st.integers(0, 40), anything),
        "output_index": st.one_of(st.integers(0, 3), anything),
        "item": anything,
        "delta": anything,
        "response": st.one_of(
            anything,
            st.fixed_dictionaries(
                {}, optional={"output": anything, "tools": anything, "error": anything}
            ),
        ),
    },
)
EVENTS = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_text.delta",
    "response.of_next_year",
    "codex.rate_limits",
    "keepalive",
]
ENDINGS = ["response.completed", "response.incomplete", "response.done", "response.failed", "error"]


@given(
    events=st.lists(st.tuples(st.sampled_from(EVENTS), payloads), max_size=20),
    ending=st.sampled_from([*ENDINGS, None]),
    last=payloads,
)
def test_any_sequence_of_events_keeps_the_grammar(
    events: list[tuple[str, dict[str, Any]]], ending: str | None, last: dict[str, Any]
) -> None:
    sent = [frame(type=event, **payload) for event, payload in events]
    sent += [frame(type=ending, **last)] if ending else []

    assert_grammar(reply_to(RESPONSES, BODY, sent))
