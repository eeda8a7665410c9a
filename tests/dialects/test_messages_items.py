from __future__ import annotations

import pytest

from codexia.dialects.messages import MESSAGES
from tests.dialects.messages_replies import (
    BODY,
    REASONING,
    THINKING,
    added,
    answer,
    called,
    completed,
    delta,
    done,
    message_of,
    reply,
    spoken,
    text_block,
    thought,
    tool_block,
)
from tests.dialects.transcripts import context, frame, play_frames


def test_parallel_calls_that_interleave_come_one_after_the_other():
    message = answer(
        added(called("", "1"), 0),
        added(called("", "2"), 1),
        delta("function_call_arguments", '{"b":', 1),
        delta("function_call_arguments", '{"a":', 0),
        delta("function_call_arguments", "2}", 1),
        done(called('{"b":2}', "2"), 1),
        delta("function_call_arguments", "1}", 0),
        done(called('{"a":1}', "1"), 0),
        completed(),
    )
    assert message["content"] == [tool_block("1", {"a": 1}), tool_block("2", {"b": 2})]
    assert message["stop_reason"] == "tool_use"


def test_many_waiting_items_do_not_cost_the_stack():
    waiting = [done(called("{}", str(index)), index) for index in range(1, 2000)]
    message = answer(added(called("", "0")), *waiting, done(called("{}", "0")), completed())
    assert len(message["content"]) == 2000


def test_items_that_were_never_finished_come_out_at_the_end():
    message = answer(
        added(called("", "1"), 0),
        delta("function_call_arguments", '{"a":1}', 0),
        added(called("", "2"), 1),
        delta("function_call_arguments", '{"b":2}', 1),
        completed(),
    )
    assert message["content"] == [tool_block("1", {"a": 1}), tool_block("2", {"b": 2})]


def test_argument_deltas_pass_exactly_as_they_came():
    events = play_frames(
        reply(),
        [
            added(called("")),
            delta("function_call_arguments", '{"a'),
            delta("function_call_arguments", '": "\\u00'),
            delta("function_call_arguments", 'e9"}'),
            done(called('{"a": "\\u00e9"}')),
            completed(),
        ],
    )
    fragments = [
        event["delta"]["partial_json"] for event in events if event["type"] == "content_block_delta"
    ]
    assert fragments == ['{"a', '": "\\u00', 'e9"}']


@pytest.mark.parametrize("arguments", ["", "{}"])
def test_a_call_without_arguments(arguments):
    message = answer(added(called("")), done(called(arguments)), completed())
    assert message["content"] == [tool_block("1", {})]


def test_arguments_that_come_only_when_done_are_one_fragment():
    message = answer(
        added(called("")),
        frame(type="response.function_call_arguments.done", output_index=0, arguments='{"a":1}'),
        done(called('{"a":1}')),
        completed(),
    )
    assert message["content"] == [tool_block("1", {"a": 1})]


@pytest.mark.parametrize(
    "texts", [['a"b\\c\n', "é\u2028", "x"], [], ["🙂"]], ids=["escapes", "empty", "emoji"]
)
@pytest.mark.parametrize("streamed", [True, False])
def test_a_custom_call(texts, streamed):
    item = {"type": "custom_tool_call", "call_id": "call_1", "name": "f", "input": "".join(texts)}
    deltas = [delta("custom_tool_call_input", text) for text in texts] if streamed else []
    message = answer(added({**item, "input": ""}), *deltas, done(item), completed())
    assert message["content"] == [tool_block("1", {"input": "".join(texts)})]


def test_a_call_without_an_id_gets_a_unique_one():
    item = {"type": "function_call", "name": "f", "arguments": "{}"}
    one, two = answer(done(item, 0), done(item, 1), completed())["content"]
    assert one["id"] != two["id"]
    assert one["id"].startswith("toolu_")


def test_a_shortened_tool_name_comes_back_whole():
    name = "mcp__" + "x" * 90
    tools = [{"name": name, "input_schema": {"type": "object"}}]
    translation = MESSAGES.translate({**BODY, "tools": tools}, context())
    assert translation.request is not None
    short = translation.request.body["tools"][0]["name"]
    events = play_frames(translation.reply, [done(called("{}", name=short)), completed()])
    assert message_of(events)["content"] == [tool_block("1", {}, name=name)]


@pytest.mark.parametrize(
    "deltas", [[], [thought("a", 0)], [thought("a", 0), thought("b", 1)]], ids=len
)
def test_a_summary_is_whole_however_much_of_it_was_streamed(deltas):
    (block,) = answer(*deltas, done(REASONING), completed(), **THINKING)["content"]
    assert block["thinking"] == "a\n\nb"
    assert block["signature"].startswith("cdx1.")


def test_reasoning_without_anything_to_show_is_no_block():
    message = answer(done({"type": "reasoning", "summary": []}), completed(), **THINKING)
    assert message["content"] == []


@pytest.mark.parametrize("fields", [{}, {"thinking": {"type": "disabled"}}])
def test_who_did_not_ask_for_thinking_gets_the_text_first(fields):
    message = answer(thought("a", 0), done(REASONING), done(spoken("x"), 1), completed(), **fields)
    assert message["content"] == [text_block("x")]


def test_nothing_follows_a_signature():
    events = play_frames(reply(**THINKING), [thought("a", 0), done(REASONING), completed()])
    deltas = [event["delta"]["type"] for event in events if "index" in event and "delta" in event]
    assert deltas.count("signature_delta") == 1
    assert deltas.index("signature_delta") > deltas.index("thinking_delta")


@pytest.mark.parametrize(
    ("action", "status", "expected"),
    [
        (
            {"query": "q", "sources": [{"type": "url", "url": "https://a.test"}, {}]},
            "completed",
            [
                {
                    "type": "web_search_result",
                    "url": "https://a.test",
                    "title": "https://a.test",
                    "encrypted_content": "",
                    "page_age": None,
                }
            ],
        ),
        ({"queries": ["q"]}, "completed", []),
        (
            {"query": "q"},
            "failed",
            {"type": "web_search_tool_result_error", "error_code": "unavailable"},
        ),
    ],
    ids=["sources", "queries", "failed"],
)
def test_web_search(action, status, expected):
    item = {"type": "web_search_call", "id": "ws_1", "status": status, "action": action}
    call, result = answer(done(item), completed())["content"]
    assert call["input"] == {"query": "q"}
    assert result["content"] == expected


def test_opening_a_page_is_no_search():
    item = {"type": "web_search_call", "id": "ws_1", "action": {"type": "open_page", "url": "u"}}
    assert answer(done(item), completed())["content"] == []


def test_citations_that_come_only_with_the_finished_item():
    item = spoken("x")
    item["content"][0]["annotations"] = [
        {"type": "url_citation", "url": "u", "title": "t"},
        {"type": "file_citation"},
    ]
    (block,) = answer(delta("output_text", "x"), done(item), completed())["content"]
    assert [citation["url"] for citation in block["citations"]] == ["u"]
