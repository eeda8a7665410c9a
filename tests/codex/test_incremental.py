"""What of a request a socket's last response spares, and what it must never spare."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexia.codex.incremental import Conversation, Known

Item = dict[str, Any]

TEXT = st.text(min_size=1, max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
ARGUMENTS = st.dictionaries(TEXT, JSON, max_size=3).map(lambda each: orjson.dumps(each).decode())


def message(role: str, *texts: str) -> Item:
    kind = "output_text" if role == "assistant" else "input_text"
    content = [{"type": kind, "text": text} for text in texts]
    return {"type": "message", "role": role, "content": content}


def call(call_id: str, name: str, arguments: str) -> Item:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def output(call_id: str, text: str) -> Item:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


def reasoning(content: str) -> Item:
    return {"type": "reasoning", "summary": [], "encrypted_content": content}


ITEM = st.one_of(
    st.builds(message, st.sampled_from(["user", "developer"]), TEXT, TEXT),
    st.builds(message, st.just("assistant"), TEXT),
    st.builds(call, TEXT, TEXT, ARGUMENTS),
    st.builds(output, TEXT, TEXT),
    st.builds(reasoning, TEXT),
)
ANSWER = st.lists(
    st.one_of(
        st.builds(message, st.just("assistant"), TEXT),
        st.builds(call, TEXT, TEXT, ARGUMENTS),
        st.builds(reasoning, TEXT),
    ),
    min_size=1,
    max_size=4,
)
ITEMS = st.lists(ITEM, min_size=1, max_size=5)


def body(items: list[Item], **fields: Any) -> dict[str, Any]:
    return {"model": "m", "instructions": "i", "tools": [], "input": items, **fields}


def answered(request: dict[str, Any], answer: list[Item]) -> Known:
    conversation = Conversation(request)
    for item in answer:
        conversation.add(item)
    return conversation.ended("resp_1")


def covered(request: dict[str, Any], known: Known) -> int:
    return Conversation(request, [known]).covered(known)


def as_served(item: Item, number: int) -> Item:
    """Return an item as the backend gives it where the client sends it back as `item`."""
    served = {**deepcopy(item), "id": f"x_{number}"}
    if item["type"] == "message":
        parts = [{**part, "annotations": [], "logprobs": []} for part in item["content"]]
        return {**served, "content": parts, "status": "completed", "phase": "final_answer"}
    if item["type"] == "function_call":
        arguments = orjson.dumps(orjson.loads(item["arguments"]), option=orjson.OPT_INDENT_2)
        return {**served, "arguments": arguments.decode(), "status": "completed"}
    return {**served, "summary": [{"type": "summary_text", "text": "thoughts"}]}


@given(ITEMS, ANSWER, ITEMS)
def test_what_goes_on_sends_only_what_is_new(old: list[Item], answer: list[Item], new: list[Item]):
    served = [as_served(item, number) for number, item in enumerate(answer)]
    known = answered(body(old), served)
    full = [*old, *answer, *new]
    spared = covered(body(full), known)
    # The server puts what it is sent after what it has.
    assert full[:spared] == [*old, *answer]
    assert full[spared:] == new


@given(ITEMS, ANSWER, ITEMS, st.data())
def test_what_changes_anything_of_before_is_sent_whole(
    old: list[Item], answer: list[Item], new: list[Item], data: st.DataObject
):
    known = answered(body(old), answer)
    before = [*old, *answer]
    where = data.draw(st.integers(0, len(before) - 1))
    changed = deepcopy(before)
    change = data.draw(st.sampled_from(["drop", "replace", "insert"]))
    match change:
        case "drop":
            del changed[where]
        case "replace":
            changed[where] = message("user", "something else entirely")
        case "insert":
            changed.insert(where, message("user", "something else entirely"))
    full = [*changed, *new]
    spared = covered(body(full), known)
    # Dropping one of several that are equal changes nothing where the next takes its place.
    assert spared == 0 or full[:spared] == before


@given(ITEMS, ANSWER)
def test_a_request_with_nothing_new_is_sent_whole(old: list[Item], answer: list[Item]):
    assert covered(body([*old, *answer]), answered(body(old), answer)) == 0


@pytest.mark.parametrize(
    "fields",
    [{"model": "n"}, {"instructions": "j"}, {"tools": [{}]}, {"reasoning": {"effort": "low"}}],
)
def test_another_field_sends_all(fields: dict[str, Any]):
    old, answer = [message("user", "a")], [message("assistant", "b")]
    full = [*old, *answer, message("user", "c")]
    assert covered(body(full, **fields), answered(body(old), answer)) == 0


def test_client_metadata_may_differ():
    old, answer = [message("user", "a")], [message("assistant", "b")]
    known = answered(body(old, client_metadata={"turn": "1"}), answer)
    full = [*old, *answer, message("user", "c")]
    assert covered(body(full, client_metadata={"turn": "2"}), known) == 2


def test_messages_that_come_back_as_one_are_the_same():
    old = [message("user", "a")]
    known = answered(body(old), [message("assistant", "b"), message("assistant", "c")])
    full = [*old, message("assistant", "b", "c"), message("user", "d")]
    assert covered(body(full), known) == 2


def test_a_message_that_came_back_longer_is_sent_whole():
    old = [message("user", "a")]
    known = answered(body(old), [message("assistant", "b")])
    full = [*old, message("assistant", "b", "more"), message("user", "d")]
    assert covered(body(full), known) == 0


def test_reasoning_that_is_left_out_sends_all():
    old, text = [message("user", "a")], message("assistant", "b")
    known = answered(body(old), [reasoning("secret"), text])
    assert covered(body([*old, text, message("user", "c")]), known) == 0


def test_of_several_answers_each_is_found():
    old = [message("user", "a")]
    first = answered(body(old), [message("assistant", "b")])
    longer = [*old, message("assistant", "b"), message("user", "c")]
    second = answered(body(longer), [message("assistant", "d")])
    full = body([*longer, message("assistant", "d"), message("user", "e")])
    conversation = Conversation(full, [first, second])
    assert (conversation.covered(first), conversation.covered(second)) == (2, 4)


def test_what_is_kept_does_not_grow_with_the_conversation():
    known = answered(body([message("user", "x" * 10_000)] * 100), [message("assistant", "b")])
    assert (len(known.fields), len(known.digest), known.parts) == (16, 16, 101)
