"""Batches in both vendors' shapes, judged by their SDKs' own types, which here forgive nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import anthropic.types.messages as anthropic_types
import openai.types as openai_types
import orjson
import pytest

from codexia.batches import (
    Batch,
    BatchPage,
    FilePage,
    ItemCounts,
    ItemResult,
    LineProblem,
    StoredFile,
)
from codexia.dialects.messages_batches import (
    deleted_message_batch,
    individual_response,
    message_batch,
    message_batch_list,
)
from codexia.dialects.openai_batches import (
    batch_list,
    batch_object,
    deleted_file,
    file_list,
    file_object,
    output_line,
)
from codexia.errors import BadRequest, anthropic_envelope

if TYPE_CHECKING:
    from pydantic import BaseModel

URL = "http://127.0.0.1:14550"
DAY_S = 86400
CREATED_AT = 1_800_000_000
MIXED = ItemCounts(pending=1, running=2, succeeded=3, errored=4, canceled=5, expired=6)
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "gpt-5.5",
    "content": [{"type": "text", "text": "hi", "citations": None}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


def batch(dialect: str = "messages", **fields: Any) -> Batch:
    prefix = "msgbatch" if dialect == "messages" else "batch"
    known = {
        "id": f"{prefix}_1",
        "dialect": dialect,
        "endpoint": "/v1/messages" if dialect == "messages" else "/v1/responses",
        "state": "in_progress",
        "counts": ItemCounts(pending=2),
        "created_at": CREATED_AT,
        "expires_at": CREATED_AT + DAY_S,
        "input_file_id": "file-1" if dialect == "openai" else None,
    }
    return Batch(**(known | fields))


def judged(kind: type[BaseModel], payload: dict[str, Any]) -> Any:
    """Return what the SDK makes of a payload; a wrong type or an unknown key fails."""
    parsed = kind.model_validate_json(orjson.dumps(payload), strict=True)
    assert not parsed.model_extra
    return parsed


STATES = [
    batch(),
    batch(state="canceling", cancel_initiated_at=CREATED_AT + 1, counts=MIXED),
    batch(state="ended", ended_at=CREATED_AT + 2, counts=ItemCounts(succeeded=2)),
    batch(state="ended", ended_at=CREATED_AT + 2, archived_at=CREATED_AT + 9),
]


@pytest.mark.parametrize("stored", STATES, ids=["runs", "canceling", "ended", "archived"])
def test_message_batch_has_every_key(stored: Batch):
    payload = message_batch(stored, URL)
    judged(anthropic_types.MessageBatch, payload)
    assert payload.keys() == anthropic_types.MessageBatch.model_fields.keys()


def test_message_batch_times_are_rfc_3339():
    payload = message_batch(batch(), URL)
    assert payload["created_at"] == "2027-01-15T08:00:00Z"
    assert payload["expires_at"] == "2027-01-16T08:00:00Z"


@pytest.mark.parametrize("state", ["in_progress", "canceling"])
def test_message_batch_counts_are_zero_until_all_is_through(state: str):
    counts = message_batch(batch(state=state, counts=MIXED), URL)["request_counts"]
    assert counts == {"processing": 21, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}


def test_message_batch_counts_at_the_end():
    counts = ItemCounts(succeeded=3, errored=4, canceled=5, expired=6)
    payload = message_batch(batch(state="ended", counts=counts), URL)
    assert payload["request_counts"] == {
        "processing": 0,
        "succeeded": 3,
        "errored": 4,
        "canceled": 5,
        "expired": 6,
    }


def test_results_url_is_there_while_there_are_results():
    urls = [message_batch(stored, URL)["results_url"] for stored in STATES]
    assert urls == [None, None, f"{URL}/v1/messages/batches/msgbatch_1/results", None]


def test_message_batch_list_names_its_ends():
    page = BatchPage(batches=(batch(id="msgbatch_2"), batch(id="msgbatch_1")), has_more=True)
    payload = message_batch_list(page, URL)
    assert [each["id"] for each in payload["data"]] == ["msgbatch_2", "msgbatch_1"]
    assert (payload["first_id"], payload["last_id"]) == ("msgbatch_2", "msgbatch_1")
    assert payload["has_more"] is True
    empty = message_batch_list(BatchPage(batches=(), has_more=False), URL)
    assert empty == {"data": [], "has_more": False, "first_id": None, "last_id": None}


def test_deleted_message_batch():
    judged(anthropic_types.DeletedMessageBatch, deleted_message_batch("msgbatch_1"))


@pytest.mark.parametrize("state", ["succeeded", "errored", "canceled", "expired"])
def test_individual_response(state: str):
    body = {
        "succeeded": MESSAGE,
        "errored": anthropic_envelope(BadRequest("max_tokens: field required"), "req_1"),
    }.get(state)
    payload = individual_response(ItemResult(custom_id="one", state=state, body=body))
    line = judged(anthropic_types.MessageBatchIndividualResponse, payload)
    assert (line.custom_id, line.result.type) == ("one", state)
    if state == "errored":
        assert line.result.error.error.type == "invalid_request_error"
        assert line.result.error.request_id == "req_1"


ENDED = {"state": "ended", "ended_at": CREATED_AT + 9, "started_at": CREATED_AT + 1}


@pytest.mark.parametrize(
    ("fields", "status", "times"),
    [
        ({"state": "validating", "counts": ItemCounts()}, "validating", ""),
        (
            {"state": "validating", "cancel_initiated_at": CREATED_AT},
            "cancelling",
            "cancelling_at",
        ),
        ({"state": "failed", "ended_at": CREATED_AT}, "failed", "failed_at"),
        ({"started_at": CREATED_AT}, "in_progress", "in_progress_at"),
        ({"counts": ItemCounts(succeeded=2)}, "finalizing", ""),
        (
            {"state": "canceling", "cancel_initiated_at": CREATED_AT},
            "cancelling",
            "cancelling_at",
        ),
        (
            {**ENDED, "counts": ItemCounts(succeeded=1, errored=1)},
            "completed",
            "in_progress_at finalizing_at completed_at",
        ),
        (
            {**ENDED, "counts": ItemCounts(succeeded=1, expired=1)},
            "expired",
            "in_progress_at finalizing_at expired_at",
        ),
        (
            {**ENDED, "cancel_initiated_at": CREATED_AT, "counts": ItemCounts(canceled=2)},
            "cancelled",
            "in_progress_at cancelling_at cancelled_at",
        ),
    ],
    ids=str,
)
def test_batch_object_by_status(fields: dict[str, Any], status: str, times: str):
    payload = batch_object(batch("openai", **fields))
    judged(openai_types.Batch, payload)
    assert payload.keys() == openai_types.Batch.model_fields.keys()
    assert payload["status"] == status
    set_at = {key for key in payload if key.endswith("_at") and payload[key] is not None}
    assert set_at == {"created_at", "expires_at", *times.split()}


def test_every_status_of_the_api_is_one_that_can_be():
    assert set(get_args(openai_types.Batch.model_fields["status"].annotation)) == {
        "validating",
        "failed",
        "in_progress",
        "finalizing",
        "completed",
        "expired",
        "cancelling",
        "cancelled",
    }


def test_batch_object_tells_the_lines_at_fault():
    problem = LineProblem(line=3, code="duplicate_custom_id", message="twice", param="custom_id")
    payload = batch_object(batch("openai", state="failed", problems=(problem,)))
    assert judged(openai_types.Batch, payload).errors.data[0].line == 3
    assert payload["errors"]["object"] == "list"


def test_request_counts_add_up():
    counts = ItemCounts(succeeded=3, errored=4, expired=6)
    payload = batch_object(batch("openai", state="ended", counts=counts))
    assert payload["request_counts"] == {"total": 13, "completed": 3, "failed": 10}


def test_lists_of_openai():
    file = StoredFile(
        id="file-1", filename="in.jsonl", purpose="batch", size_bytes=3, created_at=CREATED_AT
    )
    judged(openai_types.FileObject, file_object(file))
    files = file_list(FilePage(files=(file,), has_more=False))
    batches = batch_list(BatchPage(batches=(batch("openai"),), has_more=True))
    for page, identity, has_more in ((files, "file-1", False), (batches, "batch_1", True)):
        assert page["object"] == "list"
        assert page["first_id"] == page["last_id"] == page["data"][0]["id"] == identity
        assert page["has_more"] is has_more


def test_deleted_file():
    judged(openai_types.FileDeleted, deleted_file("file-1"))


def test_output_line_of_an_answer():
    result = ItemResult(
        custom_id="a", state="succeeded", status=200, request_id="req_1", body={"id": "resp_1"}
    )
    line = output_line(result, "batch_1")
    assert line.pop("id").startswith("batch_req_")
    assert line == {
        "custom_id": "a",
        "response": {"status_code": 200, "request_id": "req_1", "body": {"id": "resp_1"}},
        "error": None,
    }


@pytest.mark.parametrize(
    ("state", "code"), [("expired", "batch_expired"), ("canceled", "batch_cancelled")]
)
def test_output_line_without_an_answer(state: str, code: str):
    line = output_line(ItemResult(custom_id="a", state=state), "batch_1")
    assert line["response"] is None
    assert line["error"]["code"] == code


def test_output_lines_have_ids_of_their_own_that_stay():
    lines = [output_line(ItemResult(custom_id=each, state="expired"), "b") for each in "aba"]
    assert lines[0]["id"] == lines[2]["id"] != lines[1]["id"]
