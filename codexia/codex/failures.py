"""The backend's error replies and error events, as Codexia's errors.

Replies come in two shapes, `{"error": {code, type, message}}` and FastAPI's `{"detail":
...}`; the same codes arrive inside a 200 stream as `response.failed` or `error` events.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from codexia.codex.payload import Json, amount_at, child_at, number_of, text_at
from codexia.codex.rate_limits import PLAN_LIMIT, SLOTS, limit_id
from codexia.codex.upstream import ACTIVE_LIMIT_HEADER, WINDOW_HEADER
from codexia.errors import (
    PLAN_LIMIT_CODE,
    BadRequest,
    CodexiaError,
    ContextOverflow,
    Forbidden,
    LoginRequired,
    ModelRefused,
    NotFound,
    Overloaded,
    RateLimited,
    RequestTooLarge,
    UpstreamError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

PLAN_LIMIT_CODES: Final = frozenset({"usage_limit_reached", "workspace_usage_limit_reached"})
QUOTA_CODES: Final = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_usage_limit_exceeded",
        "organization_spend_limit_exceeded",
    }
)
OVERLOAD_CODES: Final = frozenset({"server_is_overloaded", "slow_down"})
REQUEST_CODES: Final = frozenset(
    {
        "invalid_prompt",
        "invalid_request_error",
        "cyber_policy",
        "bio_policy",
        "misalignment_policy_violation",
        "content_policy",
        "content_policy_violation",
        "invalid_encrypted_content",
        "unsupported_value",
        "invalid_value",
    }
)
TOKEN_CODES: Final = frozenset({"token_expired", "token_invalidated", "token_revoked"})

_MODEL_REFUSED = re.compile(r"\bmodel is not supported\b", re.IGNORECASE)
_TRY_AGAIN = re.compile(r"try again in\s*(\d+(?:\.\d+)?)\s*(ms|s|seconds?)", re.IGNORECASE)

BLOCKED_BY_CLOUDFLARE: Final = (
    "the Codex backend answered with a Cloudflare page instead of the API; this host's address or "
    "the configured user_agent is not let through, which is not a problem of the login"
)


class TokenRejected(LoginRequired):
    """The access token was refused; a refresh may help."""


def failure_of_reply(status: int, headers: Mapping[str, str], body: bytes) -> CodexiaError:
    """Return the error that a non-200 reply means.

    Args:
        status: HTTP status of the reply.
        headers: reply headers, looked up by lower-case name.
        body: the reply's body, whole.
    """
    detail = _detail_of_body(body)
    if detail is None:
        return _failure_of_page(status, headers)
    error = _failure_of_code(detail)
    if error is not None:
        return _timed(error, headers)
    return _failure_of_status(status, headers, detail)


def failure_of_event(payload: Json, headers: Mapping[str, str] | None = None) -> CodexiaError:
    """Return the error that a `response.failed` or `error` event means.

    Args:
        payload: of the event.
        headers: of the reply that it came in, looked up by lower-case name.
    """
    detail = (
        child_at(child_at(payload, "response"), "error") or child_at(payload, "error") or payload
    )
    own = {name.lower(): value for name, value in child_at(payload, "headers").items()}
    headers = {**(headers or {}), **own}
    error = _failure_of_code(detail)
    if error is not None:
        return _timed(error, headers)
    status = payload.get("status") or payload.get("status_code")
    if isinstance(status, int) and status >= 400:
        return _failure_of_status(status, headers, detail)
    return UpstreamError(_message(detail), code=_code(detail) or "server_error")


def plan_limit(
    message: str,
    *,
    resets_at: float | None = None,
    resets_in_s: float | None = None,
    plan: str = "",
) -> RateLimited:
    """Return the error of a used up plan.

    Args:
        message: the backend's words.
        resets_at: when the limit ends, unix seconds.
        resets_in_s: in how many seconds.
        plan: the account's.
    """
    error = RateLimited(
        message, retry_after_s=resets_in_s or None, retryable=False, code=PLAN_LIMIT_CODE
    )
    error.resets_at = int(resets_at) if resets_at else None
    error.plan = plan
    return error


def _detail_of_body(body: bytes) -> Json | None:
    """Return the error object of a JSON body, None for anything else."""
    try:
        payload: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(payload, dict):
        return None
    reply = cast("Json", payload)  # JSON objects have no other keys than strings
    detail: object = reply.get("error", reply.get("detail", reply))
    if isinstance(detail, dict):
        return cast("Json", detail)
    return {"message": detail if isinstance(detail, str) else orjson.dumps(detail).decode()}


def _failure_of_code(detail: Json) -> CodexiaError | None:  # noqa: PLR0911 - a table
    code, message = _code(detail), _message(detail)
    kind = text_at(detail, "type")
    if code == "context_length_exceeded":
        return ContextOverflow(message, param="input")
    if code in PLAN_LIMIT_CODES or kind in PLAN_LIMIT_CODES:
        return plan_limit(
            message,
            resets_at=amount_at(detail, "resets_at"),
            resets_in_s=amount_at(detail, "resets_in_seconds"),
            plan=text_at(detail, "plan_type"),
        )
    if code in QUOTA_CODES or kind in QUOTA_CODES:
        return RateLimited(message, retryable=False, code="insufficient_quota")
    if "usage_not_included" in (code, kind):
        return Forbidden(
            f"{message}; this ChatGPT plan does not include Codex", code="usage_not_included"
        )
    if code in OVERLOAD_CODES or "at capacity" in message:
        return Overloaded(message)
    if code == "rate_limit_exceeded":
        return RateLimited(message, retry_after_s=_try_again(message))
    if code in TOKEN_CODES:
        return TokenRejected(_token_hint(message))
    if code in REQUEST_CODES:
        return BadRequest(message, code=code, param=text_at(detail, "param") or None)
    return None


def _failure_of_status(  # noqa: PLR0911 - a table
    status: int, headers: Mapping[str, str], detail: Json
) -> CodexiaError:
    message, code = _message(detail), _code(detail)
    match status:
        case 401:
            return TokenRejected(_token_hint(message))
        case 403:
            return Forbidden(message, code=code)
        case 404:
            return NotFound(f"the Codex backend answered 404: {message}", code=code)
        case 413:
            return RequestTooLarge(message)
        case 429:
            return RateLimited(message, retry_after_s=_retry_after(headers) or _try_again(message))
        case 503:
            return Overloaded(message, retry_after_s=_retry_after(headers))
        case 400 if code is None and _MODEL_REFUSED.search(message):
            return ModelRefused(message)
        case _ if 400 <= status < 500:
            return BadRequest(message, code=code, param=text_at(detail, "param") or None)
        case _:
            return UpstreamError(f"the Codex backend answered {status}: {message}", code=code)


def _failure_of_page(status: int, headers: Mapping[str, str]) -> CodexiaError:
    """Return the error for a reply that is not the API's JSON, so some proxy's page."""
    match status:
        case 401:
            return TokenRejected(_token_hint("the access token was refused"))
        case 403:
            return Forbidden(BLOCKED_BY_CLOUDFLARE, code="cloudflare_blocked")
        case 413:
            return RequestTooLarge("the request is larger than the Codex backend takes")
        case 429:
            return RateLimited("too many requests", retry_after_s=_retry_after(headers))
        case 503:
            return Overloaded(
                "the Codex backend is overloaded", retry_after_s=_retry_after(headers)
            )
        case _:
            return UpstreamError(
                f"the Codex backend answered {status} with a page that is not JSON"
            )


def _code(detail: Json) -> str | None:
    return text_at(detail, "code") or None


def _message(detail: Json) -> str:
    said = (text_at(detail, key) for key in ("message", "code", "type"))
    return next(filter(None, said), "the Codex backend gave no reason")


def _token_hint(message: str) -> str:
    return f"{message} (the Codex login was refused; run `codexia login`)"


def _timed(error: CodexiaError, headers: Mapping[str, str]) -> CodexiaError:
    """Return the error; one of a limit says which and when it ends, as far as the headers tell."""
    if not isinstance(error, RateLimited):
        return error
    error.limit_id = limit_id(headers.get(ACTIVE_LIMIT_HEADER, ""))
    if error.retry_after_s is None:
        used_up = error.code == PLAN_LIMIT_CODE
        error.retry_after_s = _retry_after(headers) or (_window_end(headers) if used_up else None)
    return error


def _window_end(headers: Mapping[str, str]) -> float | None:
    """Return the seconds until the account's windows that are used up begin anew."""
    ends: list[float] = []
    for slot in SLOTS:
        used, left_s = (
            number_of(headers.get(WINDOW_HEADER.format(limit=PLAN_LIMIT, slot=slot, field=field)))
            for field in ("used-percent", "reset-after-seconds")
        )
        if used is not None and used >= 100 and left_s is not None:
            ends.append(left_s)
    return max(ends, default=None)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return float(headers[name]) * scale
        except (KeyError, ValueError):
            continue
    return None


def _try_again(message: str) -> float | None:
    found = _TRY_AGAIN.search(message)
    if found is None:
        return None
    amount = float(found[1])
    return amount / 1000 if found[2].lower() == "ms" else amount
