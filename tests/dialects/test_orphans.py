from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexia.dialects.orphans import OUTPUT_OF, without_orphans


def call(call_id: str, kind: str = "function_call") -> dict[str, Any]:
    return {"type": kind, "call_id": call_id}


def output(call_id: str, value: Any = "x", kind: str = "function_call_output") -> dict[str, Any]:
    return {"type": kind, "call_id": call_id, "output": value}


USER = {"type": "message", "role": "user", "content": "hi"}
AS_TEXT = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "Tool result: x"}],
}


@pytest.mark.parametrize("kind", OUTPUT_OF)
def test_a_call_without_output_is_interrupted(kind):
    assert without_orphans([call("a", kind), USER]) == [
        call("a", kind),
        output("a", "[interrupted]", OUTPUT_OF[kind]),
        USER,
    ]


@pytest.mark.parametrize(
    "items",
    [
        [USER],
        [call("a"), output("a")],
        [call("a"), call("b"), output("b"), output("a")],
        [call("a"), USER, output("a")],
        [call("a"), output("a"), call("a"), output("a")],
        [call("a"), call("a"), output("a"), output("a")],
        [{"role": "user", "content": "no type"}, {"type": ["odd"]}],
    ],
)
def test_what_is_paired_stays(items):
    assert without_orphans(items) == items


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([output("a")], [AS_TEXT]),
        ([call("a"), output("a"), output("a")], [call("a"), output("a"), AS_TEXT]),
        ([output("a"), call("a")], [AS_TEXT, call("a"), output("a", "[interrupted]")]),
        (
            [call("a", "custom_tool_call"), output("a")],
            [
                call("a", "custom_tool_call"),
                output("a", "[interrupted]", "custom_tool_call_output"),
                AS_TEXT,
            ],
        ),
    ],
    ids=["no call", "second output", "before its call", "of another kind"],
)
def test_a_stray_output_becomes_text(items, expected):
    assert without_orphans(items) == expected


def test_the_parts_of_a_stray_output_stay():
    parts = [{"type": "input_image", "image_url": "data:"}]
    assert without_orphans([output("a", parts)]) == [
        {"type": "message", "role": "user", "content": parts}
    ]


@given(
    st.lists(
        st.builds(
            lambda make, key: make(key), st.sampled_from([call, output]), st.sampled_from("abc")
        )
    )
)
def test_calls_and_outputs_match_afterwards(items):
    paired = without_orphans(items)
    unanswered: Counter[str] = Counter()
    for item in paired:
        if item["type"] == "function_call":
            unanswered[item["call_id"]] += 1
        elif item["type"] == "function_call_output":
            unanswered[item["call_id"]] -= 1
            assert unanswered[item["call_id"]] >= 0
    assert not any(unanswered.values())
