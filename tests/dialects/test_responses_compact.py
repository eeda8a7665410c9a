"""Compaction: what goes to the backend, and what is made of its answer or for want of one."""

from __future__ import annotations

from typing import Any

import pytest

from codexia.codex.usage import Usage
from codexia.dialects.responses_compact import (
    KEPT_BYTES,
    compacted_response,
    compaction_of,
    retained,
    shortened,
    with_trigger,
)

ITEM = {"id": "cmp_1", "type": "compaction", "encrypted_content": "gAAAA"}
TRIGGER = {"type": "compaction_trigger"}
LARGE = "x" * (KEPT_BYTES // 4)


def message(role: str, text: str) -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def texts(items: list[dict[str, Any]]) -> list[str]:
    return [part["text"] for item in items for part in item.get("content", ())]


@pytest.mark.parametrize(
    ("body", "items"),
    [
        ({"input": "hi"}, [{"type": "message", "role": "user", "content": "hi"}, TRIGGER]),
        ({"input": [ITEM]}, [ITEM, TRIGGER]),
        ({"previous_response_id": "resp_1"}, [TRIGGER]),
    ],
)
def test_trigger_is_the_last_item(body: dict[str, Any], items: list[dict[str, Any]]):
    assert with_trigger(body)["input"] == items


@pytest.mark.parametrize("body", [{}, {"input": 7}, {"input": None}])
def test_input_that_is_none_is_left_alone(body: dict[str, Any]):
    assert with_trigger(body) == body


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ([ITEM], ITEM),
        ([{"type": "reasoning"}, ITEM], ITEM),
        ([{**ITEM, "type": "compaction_summary"}], {**ITEM, "type": "compaction_summary"}),
        ([], None),
        ([message("assistant", "no")], None),
        ([ITEM, ITEM], None),
        (None, None),
    ],
)
def test_only_a_single_compaction_counts(output: Any, found: dict[str, Any] | None):
    assert compaction_of({"output": output}) == found


def test_user_messages_are_retained_with_an_id():
    named = {**message("user", "b"), "id": "msg_client"}
    items = [message("developer", "d"), message("user", "a"), message("assistant", "x"), named]
    kept = retained(items, "abc")
    assert texts(kept) == ["a", "b"]
    assert [item["id"] for item in kept] == ["msg_abc0000", "msg_client"]
    assert {item["status"] for item in kept} == {"completed"}


def test_short_conversation_is_shortened_by_nothing():
    items = [message("user", "a"), message("assistant", "b")]
    assert texts(shortened(items, "abc")) == ["a", "b"]


def test_shortened_conversation_keeps_user_messages_compactions_and_the_newest():
    old = [ITEM, message("user", "first"), message("assistant", LARGE + "old")]
    new = [message("assistant", f"{LARGE[:-200]}{n}") for n in range(4)]
    kept = shortened([*old, *new, message("user", "last")], "abc")
    note, *rest = kept
    assert note["role"] == "developer"
    assert texts([note])[0].startswith("1 older items")
    assert [item["type"] for item in rest] == ["compaction", *["message"] * 6]
    assert texts(rest)[0] == "first"
    assert [text[-1] for text in texts(rest)[1:5]] == ["0", "1", "2", "3"]
    assert texts(rest)[-1] == "last"


def test_nothing_older_is_kept_than_what_did_not_fit():
    items = [message("assistant", "small"), message("assistant", LARGE * 5), message("user", "u")]
    assert texts(shortened(items, "abc"))[1:] == ["u"]


def test_shortened_conversation_has_no_output_without_its_call():
    call = {
        "type": "function_call",
        "call_id": "call_1",
        "name": "f",
        "arguments": LARGE * 5,
    }
    output = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
    kinds = [item["type"] for item in shortened([call, output], "abc")]
    assert kinds == ["message", "message"]


def test_answer_has_all_members():
    usage = Usage(input_tokens=5, output_tokens=2, cached_tokens=1)
    assert compacted_response("abc", 7, [ITEM], usage) == {
        "id": "resp_abc",
        "object": "response.compaction",
        "created_at": 7,
        "output": [ITEM],
        "usage": {
            "input_tokens": 5,
            "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0},
            "output_tokens": 2,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 7,
        },
    }
