from __future__ import annotations

from typing import Any

import pytest

from codexia.dialects.signature import signature
from tests.dialects.messages_cases import (
    HI,
    TOOL_USE,
    assistant,
    call,
    items,
    output,
    said,
    shown,
    text,
    tool_result,
    user,
)


def test_a_system_message_stays_in_place_as_developer():
    assert items(
        user({"type": "text", "text": "a"}),
        {"role": "system", "content": [{"type": "text", "text": "note"}]},
        assistant({"type": "text", "text": "b"}),
        {"role": "system", "content": "again"},
        user({"type": "text", "text": "c"}),
    ) == [
        shown(text("a")),
        shown(text("note"), role="developer"),
        said("b"),
        shown(text("again"), role="developer"),
        shown(text("c")),
    ]


IMAGE = {"type": "base64", "media_type": "image/png", "data": "AA=="}
INPUT_IMAGE = {
    "type": "input_image",
    "image_url": "data:image/png;base64,AA==",
    "detail": "auto",
}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "AA=="}

USER_BLOCKS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "text": ({"type": "text", "text": "a", "citations": None}, [text("a")]),
    "image base64": ({"type": "image", "source": IMAGE}, [INPUT_IMAGE]),
    "image url": (
        {"type": "image", "source": {"type": "url", "url": "https://a.test/b.png"}},
        [{"type": "input_image", "image_url": "https://a.test/b.png", "detail": "auto"}],
    ),
    "pdf": (
        {"type": "document", "source": PDF},
        [
            {
                "type": "input_file",
                "filename": "document.pdf",
                "file_data": "data:application/pdf;base64,AA==",
            }
        ],
    ),
    "titled pdf": (
        {"type": "document", "source": PDF, "title": "a.pdf"},
        [
            {
                "type": "input_file",
                "filename": "a.pdf",
                "file_data": "data:application/pdf;base64,AA==",
            }
        ],
    ),
    "document url": (
        {"type": "document", "source": {"type": "url", "url": "https://a.test/b.pdf"}},
        [{"type": "input_file", "file_url": "https://a.test/b.pdf"}],
    ),
    "document text": (
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "body"},
            "title": "T",
            "context": "C",
        },
        [text("T\nC"), text("body")],
    ),
    "document content": (
        {
            "type": "document",
            "source": {
                "type": "content",
                "content": [{"type": "text", "text": "x"}, {"type": "image", "source": IMAGE}],
            },
        },
        [text("x"), INPUT_IMAGE],
    ),
    "search result": (
        {
            "type": "search_result",
            "source": "https://a.test",
            "title": "A",
            "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}],
        },
        [text("A (https://a.test)\nx\ny")],
    ),
    "tool reference": (
        {"type": "tool_reference", "tool_name": "Deep"},
        [text("Tool Deep is now available.")],
    ),
    "unknown block with text": ({"type": "hologram", "text": "seen"}, [text("seen")]),
}


@pytest.mark.parametrize("case", USER_BLOCKS)
def test_user_block(case):
    block, parts = USER_BLOCKS[case]
    assert items(user(block)) == [shown(*parts)]


ASSISTANT_BLOCKS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "text": ({"type": "text", "text": "a", "citations": [{"type": "x"}]}, [said("a")]),
    "empty text": ({"type": "text", "text": ""}, []),
    "our thinking": (
        {"type": "thinking", "thinking": "hm", "signature": signature("ENC")},
        [
            {
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "hm"}],
                "encrypted_content": "ENC",
            }
        ],
    ),
    "our omitted thinking": (
        {"type": "thinking", "thinking": "", "signature": signature("ENC")},
        [{"type": "reasoning", "summary": [], "encrypted_content": "ENC"}],
    ),
    "foreign thinking": ({"type": "thinking", "thinking": "hm", "signature": "EqQBCgIYAhIM"}, []),
    "unsigned thinking": ({"type": "thinking", "thinking": "hm", "signature": ""}, []),
    "our redacted thinking": (
        {"type": "redacted_thinking", "data": signature("ENC")},
        [{"type": "reasoning", "summary": [], "encrypted_content": "ENC"}],
    ),
    "foreign redacted thinking": ({"type": "redacted_thinking", "data": "EmwKAhgB"}, []),
    "server tool use": (
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
        [],
    ),
    "web search result": (
        {
            "type": "web_search_tool_result",
            "tool_use_id": "srvtoolu_1",
            "content": [
                {
                    "type": "web_search_result",
                    "title": "A",
                    "url": "https://a.test",
                    "encrypted_content": "xyz",
                    "page_age": None,
                }
            ],
        },
        [said("A\nhttps://a.test")],
    ),
    "code execution result": (
        {
            "type": "code_execution_tool_result",
            "tool_use_id": "srvtoolu_1",
            "content": {"type": "code_execution_result", "stdout": "4", "return_code": 0},
        },
        [said("4")],
    ),
    "compaction": (
        {"type": "compaction", "content": "So far: nothing."},
        [shown(text("So far: nothing."), role="developer")],
    ),
    "picture it made": ({"type": "image", "source": IMAGE}, [shown(INPUT_IMAGE)]),
    "fallback": ({"type": "fallback", "model": "x"}, []),
}


@pytest.mark.parametrize("case", ASSISTANT_BLOCKS)
def test_assistant_block(case):
    block, expected = ASSISTANT_BLOCKS[case]
    hi = user({"type": "text", "text": "hi"})
    assert items(hi, assistant(block)) == [HI, *expected]


TOOL_RESULTS: dict[str, tuple[dict[str, Any], Any]] = {
    "string": ({"content": "sunny", "is_error": False}, "sunny"),
    "absent": ({}, ""),
    "empty": ({"content": []}, ""),
    "texts": (
        {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        "a\nb",
    ),
    "image inside": (
        {"content": [{"type": "text", "text": "a"}, {"type": "image", "source": IMAGE}]},
        [text("a"), INPUT_IMAGE],
    ),
    "error": ({"content": "no city", "is_error": True}, "Error: no city"),
    "error with image": (
        {"content": [{"type": "image", "source": IMAGE}], "is_error": True},
        [text("Error:"), INPUT_IMAGE],
    ),
    "empty error": ({"is_error": True}, "Error:"),
}


@pytest.mark.parametrize("case", TOOL_RESULTS)
def test_tool_result(case):
    fields, expected = TOOL_RESULTS[case]
    assert items(assistant(TOOL_USE), user(tool_result(**fields))) == [call(), output(expected)]


def test_tool_results_come_before_what_else_the_turn_says():
    second = {**TOOL_USE, "id": "toolu_2"}
    assert items(
        assistant({"type": "text", "text": "Look."}, TOOL_USE, second),
        user(
            {"type": "text", "text": "and?"},
            tool_result(content="a"),
            {**tool_result(content="b"), "tool_use_id": "toolu_2"},
        ),
    ) == [
        said("Look."),
        call(),
        call(key="2"),
        output("a"),
        output("b", key="2"),
        shown(text("and?")),
    ]


def test_an_interrupted_call_gets_an_output():
    assert items(assistant(TOOL_USE), user({"type": "text", "text": "stop"})) == [
        call(),
        output("[interrupted]"),
        shown(text("stop")),
    ]


def test_a_result_without_its_call_becomes_text():
    assert items(user(tool_result(content="sunny"))) == [shown(text("Tool result: sunny"))]


def test_a_prefill_stays_an_assistant_message():
    assert items(
        user({"type": "text", "text": "hi"}), assistant({"type": "text", "text": "{"})
    ) == [
        HI,
        said("{"),
    ]


def test_documents_in_documents_do_not_cost_the_stack():
    block: dict[str, Any] = {"type": "text", "text": "x"}
    for _ in range(400):
        block = {"type": "document", "source": {"type": "content", "content": [block]}}
    assert items(user({"type": "text", "text": "hi"}, block)) == [HI]
