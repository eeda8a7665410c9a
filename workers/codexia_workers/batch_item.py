"""Runs one item of a batch as the live request that it could have been."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Final

from codexia.batches import Outcome, TokenCounts
from codexia.dialects.chat import CHAT
from codexia.dialects.messages import MESSAGES
from codexia.dialects.responses import RESPONSES
from codexia.errors import (
    BadRequest,
    CodexiaError,
    Crowded,
    LoginRequired,
    Overloaded,
    RateLimited,
    StateUnavailable,
    SupervisorUnavailable,
    UpstreamError,
    anthropic_envelope,
    openai_envelope,
)
from codexia_workers.access_log import tell
from codexia_workers.generate import complete_error, translated, whole_answer
from codexia_workers.request_record import RequestRecord, record_of
from codexia_workers.upstream import open_reply

if TYPE_CHECKING:
    from starlette.types import Scope

    from codexia.batches import Assignment
    from codexia.dialects.dialect import Dialect, Translation
    from codexia_workers.worker import Worker

logger = logging.getLogger("codexia.batches")

DIALECTS: Final[dict[str, Dialect]] = {
    "/v1/messages": MESSAGES,
    "/v1/chat/completions": CHAT,
    "/v1/responses": RESPONSES,
}

PASSING: Final = (
    Crowded,
    LoginRequired,
    Overloaded,
    RateLimited,
    StateUnavailable,
    SupervisorUnavailable,
    UpstreamError,
)
"""What does not lie with the request, so that it may go well another time."""


async def run_item(worker: Worker, assignment: Assignment) -> Outcome:
    """Return how an item went."""
    scope = _scope(assignment)
    record = record_of(scope)
    try:
        outcome = await _answered(worker, assignment, scope)
    except Exception:  # the boundary: a bug must cost one item, not the worker
        logger.exception("item failed id=%s", scope["state"]["request_id"])
        error = CodexiaError("internal error", code="internal_error")
        outcome = failed_outcome(assignment, error, scope["state"]["request_id"])
    record.status, record.code = outcome.status, outcome.cause
    record.outcome = record.outcome or "refused"
    record.further = {
        "batch": assignment.batch_id,
        "item": assignment.item,
        "attempt": assignment.attempt,
    }
    tell(worker, scope, record)
    return outcome


def failed_outcome(assignment: Assignment, error: CodexiaError, request_id: str = "") -> Outcome:
    """Return the outcome of an item that an error ended, as a live client would have read it."""
    request_id = request_id or _request_id()
    envelope = DIALECTS[assignment.endpoint].envelope
    if envelope == "anthropic":
        body = anthropic_envelope(error, request_id)
    else:
        body = openai_envelope(error)
    return Outcome(
        item=assignment.item,
        status=error.status_for(envelope),
        request_id=request_id,
        body=body,
        retryable=isinstance(error, PASSING),
        retry_after_s=error.retry_after_s,
        cause=error.code or type(error).__name__,
    )


async def _answered(worker: Worker, assignment: Assignment, scope: Scope) -> Outcome:
    translation: Translation | None = None
    try:
        if assignment.body.get("stream"):
            raise BadRequest("stream: the requests of a batch are not streamed", param="stream")
        dialect = DIALECTS[assignment.endpoint]
        translation = await translated(worker, dialect, assignment.body, scope)
        keep = worker.responses.keeper(translation, scope)
        async with open_reply(worker, translation.request, scope) as upstream:
            body = await whole_answer(translation, upstream, keep)
            worker.observed.answered(translation, upstream)
            record_of(scope).answered(translation)
    except CodexiaError as error:
        if translation is not None:
            complete_error(error, translation, worker.serving.models)
        return failed_outcome(assignment, error, scope["state"]["request_id"])
    usage = translation.reply.usage
    return Outcome(
        item=assignment.item,
        status=200,
        request_id=scope["state"]["request_id"],
        body=body,
        tokens=TokenCounts(**{name: getattr(usage, name) for name in TokenCounts.model_fields}),
    )


def _scope(assignment: Assignment) -> Scope:
    """Return what a live request would have come with, as far as the way of one looks at it."""
    state = {
        "request_id": _request_id(),
        "key_name": assignment.key_name,
        "batch": True,
        "record": RequestRecord(),
    }
    return {
        "type": "http",
        "method": "POST",
        "path": assignment.endpoint,
        "headers": [],
        "state": state,
    }


def _request_id() -> str:
    return f"req_{secrets.token_hex(12)}"
