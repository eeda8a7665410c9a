"""Batches in the shapes of Anthropic's Message Batches.

https://platform.claude.com/docs/en/api/messages/batches has the objects. Every key is always
there, `null` where it has no value.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from codexia.batches import Batch, BatchPage, ItemCounts, ItemResult

STATUSES: Final = {"canceling": "canceling", "ended": "ended"}
"""`processing_status` by state; every other state is `in_progress`."""


def message_batch(batch: Batch, base_url: str) -> dict[str, Any]:
    """Return the `message_batch` object.

    Args:
        batch: as the supervisor has it.
        base_url: of this gateway as the client called it; the SDKs follow `results_url`.
    """
    has_results = batch.state == "ended" and batch.archived_at is None
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": STATUSES.get(batch.state, "in_progress"),
        "request_counts": _request_counts(batch.counts, ended=batch.state == "ended"),
        "created_at": _time(batch.created_at),
        "expires_at": _time(batch.expires_at),
        "ended_at": _time(batch.ended_at),
        "cancel_initiated_at": _time(batch.cancel_initiated_at),
        "archived_at": _time(batch.archived_at),
        "results_url": (
            f"{base_url}/v1/messages/batches/{batch.id}/results" if has_results else None
        ),
    }


def message_batch_list(page: BatchPage, base_url: str) -> dict[str, Any]:
    """Return one page of the list, the newest batch first."""
    batches = [message_batch(batch, base_url) for batch in page.batches]
    return {
        "data": batches,
        "has_more": page.has_more,
        "first_id": batches[0]["id"] if batches else None,
        "last_id": batches[-1]["id"] if batches else None,
    }


def deleted_message_batch(batch_id: str) -> dict[str, Any]:
    """Return what tells that a batch is gone."""
    return {"id": batch_id, "type": "message_batch_deleted"}


def individual_response(result: ItemResult) -> dict[str, Any]:
    """Return one line of the results; `error` of an errored one is a whole error response."""
    match result.state:
        case "succeeded":
            outcome = {"type": "succeeded", "message": result.body}
        case "errored":
            outcome = {"type": "errored", "error": result.body}
        case _:
            outcome = {"type": result.state}
    return {"custom_id": result.custom_id, "result": outcome}


def _request_counts(counts: ItemCounts, *, ended: bool) -> dict[str, int]:
    # Requests count as processing until all of them are through.
    return {
        "processing": 0 if ended else counts.total,
        "succeeded": counts.succeeded if ended else 0,
        "errored": counts.errored if ended else 0,
        "canceled": counts.canceled if ended else 0,
        "expired": counts.expired if ended else 0,
    }


def _time(at: int | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
