"""Batches and their files in the shapes of OpenAI's Batch and Files APIs.

https://developers.openai.com/api/reference/resources/batches has the objects, the guide to the
Batch API the lines of its files.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codexia.batches import (
        Batch,
        BatchPage,
        FilePage,
        ItemResult,
        LineProblem,
        StoredFile,
        TokenCounts,
    )

COMPLETION_WINDOW: Final = "24h"
ENDPOINTS: Final = ("/v1/chat/completions", "/v1/responses")
"""What the lines of a batch may call."""

UNANSWERED: Final = {
    "expired": {
        "code": "batch_expired",
        "message": "This request could not be executed before the completion window expired.",
    },
    "canceled": {
        "code": "batch_cancelled",
        "message": "This request was not executed because the batch was cancelled.",
    },
}
"""The `error` of a line whose request got no answer, by its state."""


def batch_object(batch: Batch) -> dict[str, Any]:
    """Return the `batch` object."""
    status = _status(batch)

    def ended_as(*wanted: str) -> int | None:
        return batch.ended_at if status in wanted else None

    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "model": batch.model,
        "errors": _errors(batch.problems),
        "input_file_id": batch.input_file_id,
        "completion_window": COMPLETION_WINDOW,
        "status": status,
        "output_file_id": batch.output_file_id,
        "error_file_id": batch.error_file_id,
        "created_at": batch.created_at,
        "in_progress_at": batch.started_at,
        "expires_at": batch.expires_at,
        "finalizing_at": ended_as("completed", "expired"),
        "completed_at": ended_as("completed"),
        "failed_at": ended_as("failed"),
        "expired_at": ended_as("expired"),
        "cancelling_at": batch.cancel_initiated_at,
        "cancelled_at": ended_as("cancelled"),
        "request_counts": {
            "total": batch.counts.total,
            "completed": batch.counts.succeeded,
            "failed": batch.counts.errored + batch.counts.expired,
        },
        "usage": _usage(batch.tokens),
        "metadata": batch.metadata,
    }


def batch_list(page: BatchPage) -> dict[str, Any]:
    """Return one page of the batches, the newest first."""
    return _list([batch_object(batch) for batch in page.batches], has_more=page.has_more)


def output_line(result: ItemResult, batch_id: str) -> dict[str, Any]:
    """Return one line of the output file or, for a request without a success, the error file."""
    identity = sha256(f"{batch_id}\n{result.custom_id}".encode()).hexdigest()[:32]
    answered = result.state in {"succeeded", "errored"}
    return {
        "id": f"batch_req_{identity}",
        "custom_id": result.custom_id,
        "response": (
            {
                "status_code": result.status,
                "request_id": result.request_id,
                "body": result.body,
            }
            if answered
            else None
        ),
        "error": None if answered else UNANSWERED[result.state],
    }


def file_object(file: StoredFile) -> dict[str, Any]:
    """Return the `file` object."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size_bytes,
        "created_at": file.created_at,
        "expires_at": None,
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


def file_list(page: FilePage) -> dict[str, Any]:
    """Return one page of the files."""
    return _list([file_object(file) for file in page.files], has_more=page.has_more)


def deleted_file(file_id: str) -> dict[str, Any]:
    """Return what tells that a file is gone."""
    return {"id": file_id, "object": "file", "deleted": True}


def _status(batch: Batch) -> str:
    match batch.state:
        case "failed":
            return "failed"
        case "canceling":
            return "cancelling"
        case "validating":
            return "validating" if batch.cancel_initiated_at is None else "cancelling"
        case "in_progress":
            counts = batch.counts
            return "in_progress" if counts.pending + counts.running else "finalizing"
        case "ended":
            if batch.cancel_initiated_at is not None:
                return "cancelled"
            return "expired" if batch.counts.expired else "completed"


def _usage(tokens: TokenCounts) -> dict[str, Any]:
    return {
        "input_tokens": tokens.input_tokens,
        "input_tokens_details": {"cached_tokens": tokens.cached_tokens},
        "output_tokens": tokens.output_tokens,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning_tokens},
        "total_tokens": tokens.input_tokens + tokens.output_tokens,
    }


def _errors(problems: Sequence[LineProblem]) -> dict[str, Any] | None:
    if not problems:
        return None
    return {"object": "list", "data": [problem.model_dump() for problem in problems]}


def _list(objects: list[dict[str, Any]], *, has_more: bool) -> dict[str, Any]:
    return {
        "object": "list",
        "data": objects,
        "first_id": objects[0]["id"] if objects else None,
        "last_id": objects[-1]["id"] if objects else None,
        "has_more": has_more,
    }
