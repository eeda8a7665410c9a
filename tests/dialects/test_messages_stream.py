from __future__ import annotations

import pytest

from codexia.errors import ContextOverflow, UpstreamError, UpstreamTruncated
from codexia.sse import Frame
from tests.dialects.messages_replies import (
    THINKING,
    added,
    answer,
    called,
    completed,
    delta,
    done,
    incomplete,
    message_of,
    reply,
    spoken,
    text_block,
    tool_block,
)
from tests.dialects.transcripts import TRANSCRIPTS, frame, frames, play_frames


def test_the_first_event_has_every_usage_field():
    (start,) = reply().start()
    message = start["message"]
    assert message["id"] == "msg_0123456789abcdef"
    assert message["model"] == "claude-opus-5-5"
    assert message["usage"]["input_tokens"] > 0
    assert {
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "cache_creation",
        "output_tokens",
        "server_tool_use",
        "service_tier",
    } <= message["usage"].keys()


def test_the_prelude_is_never_decoded():
    stream = reply()
    stream.start()
    for name in ("response.created", "response.in_progress", "codex.rate_limits", "response.new"):
        assert stream.feed(Frame(name, b"not json")) == []


def test_text_that_comes_only_with_the_finished_item():
    assert answer(done(spoken("all")), completed())["content"] == [text_block("all")]


def test_text_that_comes_only_with_the_end():
    assert answer(completed(spoken("all")))["content"] == [text_block("all")]


def test_text_whose_last_deltas_are_missing():
    message = answer(delta("output_text", "al"), done(spoken("all of it")), completed())
    assert message["content"] == [text_block("all of it")]


def test_text_of_an_item_that_was_never_finished():
    message = answer(
        delta("output_text", "al"),
        frame(type="response.output_text.done", output_index=0, text="all"),
        completed(),
    )
    assert message["content"] == [text_block("all")]


def test_an_end_that_repeats_the_items_adds_nothing():
    item = spoken("all", id="msg_1")
    message = answer(done(item, index=1), completed({"type": "reasoning"}, item))
    assert message["content"] == [text_block("all")]


def test_an_item_moved_to_another_position_at_the_end_is_known_by_its_id():
    item = spoken("all", id="msg_1")
    assert answer(done(item, index=1), completed(item))["content"] == [text_block("all")]


def test_every_text_part_is_a_block():
    message = answer(
        delta("output_text", "a", content_index=0),
        delta("output_text", "b", content_index=1),
        done(spoken("a", "b")),
        done(spoken("c"), index=1),
        completed(),
    )
    assert message["content"] == [text_block("a"), text_block("b"), text_block("c")]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("max_output_tokens", "max_tokens"),
        ("content_filter", "refusal"),
        ("max_messages", "pause_turn"),
        ("steered", "end_turn"),
        ("something_new", "end_turn"),
    ],
)
def test_an_incomplete_answer(reason, expected):
    assert answer(delta("output_text", "x"), incomplete(reason))["stop_reason"] == expected


def test_a_call_that_was_cut_off_keeps_what_came_of_it():
    message = answer(
        added(called("")),
        delta("function_call_arguments", '{"a": 1, "b": [2'),
        incomplete("max_output_tokens"),
    )
    assert message["content"] == [tool_block("1", {"a": 1, "b": [2]})]
    assert message["stop_reason"] == "max_tokens"


@pytest.mark.parametrize("arguments", ["nonsense", "[1]"])
def test_arguments_that_are_no_object_are_an_error_and_no_content(arguments):
    with pytest.raises(UpstreamError):
        answer(done(called(arguments)), completed())


def test_cached_and_written_tokens_are_not_counted_twice():
    usage = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
        "output_tokens": 7,
    }
    total = answer(completed(usage=usage))["usage"]
    assert total["input_tokens"] == 10
    assert total["cache_read_input_tokens"] == 60
    assert total["cache_creation_input_tokens"] == 30
    assert total["output_tokens"] == 7


def test_usage_that_the_backend_left_out_is_estimated():
    stream = reply(system="x" * 400)
    events = play_frames(stream, [delta("output_text", "y" * 40), completed(usage=None)])
    usage = message_of(events)["usage"]
    assert usage["input_tokens"] > 100
    assert usage["output_tokens"] > 10


def test_what_the_worker_reads_of_a_reply():
    stream = reply()
    play_frames(stream, [completed(model="gpt-5.6-luna")])
    assert stream.ended
    assert stream.served_model == "gpt-5.6-luna"
    assert stream.usage.input_tokens == 10
    assert stream.feed(delta("output_text", "late")) == []
    assert stream.fail(UpstreamTruncated("late")) == []


def test_context_edits_are_reported_to_who_asked():
    message = answer(completed(), context_management={"edits": []})
    assert message["context_management"] == {"applied_edits": []}
    assert "context_management" not in answer(completed())


def test_an_overflow_after_output_is_a_stop_reason():
    stream = reply()
    events = [*stream.start(), *stream.feed(delta("output_text", "x"))]
    events += stream.fail(ContextOverflow("too long"))
    message = message_of(events)
    assert message["stop_reason"] == "model_context_window_exceeded"
    assert message["content"] == [text_block("x")]


def test_an_overflow_knows_the_window():
    stream = reply()
    stream.start()
    failure = frame(
        type="response.failed",
        response={"error": {"code": "context_length_exceeded", "message": "too long"}},
    )
    with pytest.raises(ContextOverflow) as caught:
        stream.feed(failure)
    assert caught.value.maximum == 272_000


STORY = "The <b>end</b> of it."


@pytest.mark.parametrize("cut", range(len(STORY) + 1))
def test_a_stop_sequence_is_met_at_every_split(cut):
    message = answer(
        delta("output_text", STORY[:cut]),
        delta("output_text", STORY[cut:]),
        done(spoken(STORY)),
        completed(),
        stop_sequences=["</b>", "nowhere"],
    )
    assert message["content"] == [text_block("The <b>end")]
    assert message["stop_reason"] == "stop_sequence"
    assert message["stop_sequence"] == "</b>"
    assert message["usage"]["output_tokens"] > 0


def test_nothing_more_is_read_after_a_stop_sequence():
    stream = reply(stop_sequences=["."])
    stream.start()
    events = stream.feed(delta("output_text", "a.b"))
    assert stream.ended
    assert [event["type"] for event in events][-2:] == ["message_delta", "message_stop"]


def test_a_stop_sequence_that_starts_the_answer():
    message = answer(delta("output_text", "END more"), completed(), stop_sequences=["END"])
    assert message["content"] == []
    assert message["stop_sequence"] == "END"


def test_text_held_back_comes_out_before_what_follows():
    message = answer(
        delta("output_text", "<"),
        done(spoken("<")),
        done(called("{}"), 1),
        completed(),
        stop_sequences=["<end>"],
    )
    assert message["content"] == [text_block("<"), tool_block("1", {})]


def test_a_stop_sequence_in_arguments_does_not_count():
    message = answer(done(called('{"a":"."}')), completed(), stop_sequences=["."])
    assert message["content"] == [tool_block("1", {"a": "."})]


def test_unknown_events_and_items_never_matter():
    strange = [
        frame(type="response.brand_new", output_index=7),
        frame(type="keepalive"),
        frame(type="response.output_text.sparkle", delta="x"),
        Frame("", b"junk"),
        added({"type": "hologram"}, 50),
        done({"type": "hologram"}, 50),
    ]
    plain = frames(TRANSCRIPTS["03_parallel_tools"])
    mixed = [*strange, *(f for frame_ in plain for f in (frame_, *strange[:4]))]
    assert answer(*mixed, **THINKING) == answer(*plain, **THINKING)
