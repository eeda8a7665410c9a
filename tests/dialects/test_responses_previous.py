"""Requests that go on from a stored response, and what is listed of its input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from codexia.dialects.dialect import PreviousResponse
from codexia.dialects.responses import RESPONSES
from codexia.dialects.responses_input import referenced_ids
from codexia.dialects.responses_items import listed_items
from codexia.errors import BadRequest
from tests.dialects.transcripts import context

HI = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
MORE = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "more"}]}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "f",
    "arguments": "{}",
    "status": "completed",
}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "x"}


def referring(*ids: str, known: tuple[dict[str, Any], ...] = (), **fields: Any) -> Any:
    """Translate a request whose input is references and a message."""
    references = [{"type": "item_reference", "id": item_id} for item_id in ids]
    body = {"model": "gpt-5.5", "input": [*references, MORE], **fields}
    referenced = {item["id"]: item for item in known}
    return RESPONSES.translate(body, replace(context(), referenced=referenced))


def translated(*items: Any, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    body = {"model": "gpt-5.5", "previous_response_id": "resp_1", **fields}
    previous = PreviousResponse(items, "conversation-7")
    return RESPONSES.translate(body, replace(context(), headers=headers or {}, previous=previous))


def test_the_stored_items_come_before_the_new_ones() -> None:
    body = translated(HI, REASONING, CALL, input=[OUTPUT]).request.body
    assert body["input"] == [HI, REASONING, CALL, OUTPUT]
    assert "previous_response_id" not in body


def test_the_input_may_be_left_out() -> None:
    assert translated(HI).request.body["input"] == [HI]


def test_stored_reasoning_that_the_backend_could_not_read_is_left_out() -> None:
    unreadable = {"type": "reasoning", "id": "rs_2", "summary": []}
    assert translated(HI, unreadable, input=[MORE]).request.body["input"] == [HI, MORE]


def test_a_stored_id_that_the_backend_would_refuse_is_left_out() -> None:
    message = {**HI, "id": "not-of-the-backend"}
    assert translated(message, input="more").request.body["input"] == [HI, MORE]


def test_references_become_the_stored_items_where_they_stand() -> None:
    answer = {"type": "message", "role": "assistant", "id": "msg_1", "content": []}
    known = (CALL, answer, REASONING)
    body = referring("rs_1", "fc_1", "msg_1", known=known).request.body
    assert body["input"] == [REASONING, CALL, answer, MORE]


def test_references_may_come_after_the_stored_items() -> None:
    body = {
        "model": "gpt-5.5",
        "previous_response_id": "resp_1",
        "input": [{"type": "item_reference", "id": "fc_1"}, OUTPUT],
    }
    known = replace(
        context(), previous=PreviousResponse([HI], "conversation-7"), referenced={"fc_1": CALL}
    )
    assert RESPONSES.translate(body, known).request.body["input"] == [HI, CALL, OUTPUT]


def test_a_reference_to_what_is_not_known_is_refused_in_openais_words() -> None:
    with pytest.raises(BadRequest) as caught:
        referring("fc_1", "msg_2", known=(CALL,))
    assert caught.value.message == "Item with id 'msg_2' not found."
    assert (caught.value.param, caught.value.code) == ("input", None)


def test_a_reference_to_unknown_reasoning_is_left_out_with_the_id_of_what_came_of_it() -> None:
    body = referring("rs_2", "fc_1", known=(CALL,)).request.body
    without_id = {name: value for name, value in CALL.items() if name != "id"}
    assert body["input"] == [without_id, MORE]


def test_a_stored_item_that_is_itself_a_reference_is_refused() -> None:
    loop = {"type": "item_reference", "id": "x_1"}
    with pytest.raises(BadRequest, match="'x_1' not found"):
        referring("x_1", known=(loop,))


@pytest.mark.parametrize("given", ["hi", None, 3, [3, None, "x", HI, {"type": "item_reference"}]])
def test_input_without_references_names_none(given: Any) -> None:
    assert referenced_ids({"input": given}) - {""} == set()


def test_references_in_the_input_are_named_once() -> None:
    reference = {"type": "item_reference", "id": "msg_1"}
    assert referenced_ids({"input": [reference, HI, reference]}) == {"msg_1"}


def test_the_session_key_is_that_of_the_conversation() -> None:
    assert translated(HI, input="more").request.session_key == "conversation-7"


@pytest.mark.parametrize(
    ("headers", "fields"),
    [({"session-id": "own"}, {}), ({}, {"prompt_cache_key": "own"})],
    ids=["header", "prompt_cache_key"],
)
def test_a_session_that_the_client_names_wins(headers: dict[str, str], fields: Any) -> None:
    assert translated(HI, input="more", headers=headers, **fields).request.session_key == "own"


def test_the_response_repeats_the_id() -> None:
    reply = translated(HI, input="more").reply
    [event] = reply._opening()
    assert event["response"]["previous_response_id"] == "resp_1"


@pytest.mark.parametrize(
    ("fields", "store"), [({}, True), ({"store": True}, True), ({"store": False}, False)]
)
def test_answers_are_stored_unless_the_client_says_no(fields: Any, *, store: bool) -> None:
    translation = translated(input="hi", **fields)
    [event] = translation.reply._opening()
    assert (translation.store, event["response"]["store"]) == (store, store)
    assert translation.request.body["store"] is False


def test_store_must_be_a_boolean() -> None:
    with pytest.raises(BadRequest) as caught:
        translated(input="hi", store="no")
    assert (caught.value.param, caught.value.code) == ("store", "invalid_type")


def test_an_id_that_is_no_string_is_named() -> None:
    body = {"model": "gpt-5.5", "input": "hi", "previous_response_id": 3}
    with pytest.raises(BadRequest) as caught:
        RESPONSES.translate(body, context())
    assert (caught.value.param, caught.value.code) == ("previous_response_id", "invalid_type")


def test_listed_items_have_ids_that_stay_and_a_status() -> None:
    listed = listed_items([HI, CALL, OUTPUT], "resp_abc")
    assert [item["id"] for item in listed] == ["msg_abc_0", "fc_1", "item_abc_2"]
    assert {item["status"] for item in listed} == {"completed"}
    assert listed == listed_items([HI, CALL, OUTPUT], "resp_abc")


def test_listed_parts_have_what_strict_clients_need() -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64,"}
    answer = {"type": "output_text", "text": "yes"}
    items = [
        {"type": "message", "role": "user", "content": [image]},
        {"type": "message", "role": "assistant", "content": [answer]},
        {**OUTPUT, "output": [image]},
    ]
    user, assistant, output = listed_items(items, "resp_abc")
    assert user["content"] == output["output"] == [{**image, "detail": "auto"}]
    assert assistant["content"] == [{**answer, "annotations": []}]
