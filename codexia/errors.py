"""The errors that Codexia answers with, and their two wire envelopes.

Each leaf says whose fault it is and what can be done now. A leaf knows how it looks in
both dialects; `anthropic_envelope` and `openai_envelope` are the only places that render
one. Messages are for the caller: they carry the next step and never a secret.
"""

from __future__ import annotations

from math import ceil
from typing import Any, ClassVar, Literal

from codexia.local_time import from_now, local_time

Envelope = Literal["anthropic", "openai"]

ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""Error type by HTTP status, as https://docs.anthropic.com/en/api/errors lists them."""

OPENAI_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}


PLAN_LIMIT_CODE = "usage_limit_reached"
SELF_TYPED_CODES = frozenset({PLAN_LIMIT_CODE})
"""Codes that the backend has as the type. Codex CLI looks for this one there, and without it waits
silently for hours until the plan's window begins anew."""


class CodexiaError(Exception):
    """Root of every error that a caller may see.

    Attributes:
        status: HTTP status in the OpenAI dialect.
        anthropic_status: HTTP status in the Anthropic dialect, where it differs.
        code: the OpenAI `error.code`.
        param: the request field at fault, spelled as on the wire.
        retry_after_s: seconds until a retry can succeed, when that is known.
        retryable: False tells clients with `x-should-retry` that a retry is no use.
    """

    status: ClassVar[int] = 500
    anthropic_status: ClassVar[int | None] = None
    code: str | None = None
    param: str | None = None
    retry_after_s: float | None = None
    retryable: bool | None = None

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.param = param or self.param

    def status_for(self, envelope: Envelope) -> int:
        """Return the HTTP status in one dialect's terms."""
        if envelope == "anthropic" and self.anthropic_status is not None:
            return self.anthropic_status
        return self.status

    def message_for(self, envelope: Envelope) -> str:  # noqa: ARG002 - leaves differ by it
        """Return the text in one dialect's terms."""
        return self.message


class BadRequest(CodexiaError):
    """The request cannot be served as it stands; the caller must change it.

    Attributes:
        details: the Anthropic `error.details`, which some SDK helpers decide by.
    """

    status = 400

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message, code=code, param=param)
        self.details = details


class ContextOverflow(BadRequest):
    """The prompt is longer than the model's window.

    Claude Code starts its compaction on the exact Anthropic text, which needs numbers that
    the backend does not give; whoever knows the request sets them.

    Attributes:
        input_tokens: size of the prompt, estimated.
        maximum: the model's context window in tokens.
    """

    code = "context_length_exceeded"
    input_tokens: int | None = None
    maximum: int | None = None

    def message_for(self, envelope: Envelope) -> str:
        """Return Anthropic's text with its numbers, or the backend's own."""
        if envelope == "openai" or self.maximum is None:
            return self.message
        tokens = max(self.input_tokens or 0, self.maximum + 1)
        return f"prompt is too long: {tokens} tokens > {self.maximum} maximum"


class ModelRefused(BadRequest):
    """The backend has no such model, or not for this account.

    Attributes:
        offered: what can be asked for instead; whoever knows the models sets it.
    """

    code = "model_not_found"
    param = "model"
    offered: tuple[str, ...] = ()

    def message_for(self, envelope: Envelope) -> str:  # noqa: ARG002 - the same in both
        """Return the backend's own text, and what there is instead."""
        if not self.offered:
            return self.message
        return f"{self.message.rstrip('.')}; models on offer: {', '.join(self.offered)}"


class Unauthorized(CodexiaError):
    """The local API key is missing or wrong."""

    status = 401
    code = "invalid_api_key"
    retryable = False


class LoginRequired(CodexiaError):
    """There is no usable Codex login behind the gateway."""

    status = 401
    code = "login_required"
    retryable = False


class Forbidden(CodexiaError):
    """The request comes from where none is accepted, or the account may not do this."""

    status = 403


class NotFound(CodexiaError):
    """There is nothing at this path or under this id."""

    status = 404


class Conflict(CodexiaError):
    """What is asked for cannot be done as things are now; later it can."""

    status = 409


class MethodNotAllowed(CodexiaError):
    """The path exists, the method does not."""

    status = 405


class UnsupportedMediaType(CodexiaError):
    """The body is not JSON, or in an encoding that is not served."""

    status = 415


class RequestTimeout(CodexiaError):
    """The client does not send what it began to."""

    status = 408


class RequestTooLarge(CodexiaError):
    """The body, or what it decompresses to, is over the limit."""

    status = 413


class UpgradeRequired(CodexiaError):
    """A plain request came where only a WebSocket is served."""

    status = 426


class RateLimited(CodexiaError):
    """The account may not send more for now.

    A plan limit is not retryable before `retry_after_s`; a burst limit is.

    Attributes:
        resets_at: when a plan limit ends, unix seconds, where that is known.
        plan: the account's, "" where it is not told.
        limit_id: which of its limits a plan limit is, "" where it is not told.
    """

    status = 429
    code = "rate_limit_exceeded"
    resets_at: int | None = None
    plan: str = ""
    limit_id: str = ""

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        retryable: bool | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s
        self.retryable = retryable

    def timed(self, now: float) -> RateLimited:
        """Return the error of a plan limit with both the moment and the wait, if it has one."""
        if self.code == PLAN_LIMIT_CODE:
            if self.retry_after_s is None and self.resets_at is not None:
                self.retry_after_s = max(0.0, self.resets_at - now)
            elif self.resets_at is None and self.retry_after_s is not None:
                self.resets_at = int(now + self.retry_after_s)
        return self

    def message_for(self, envelope: Envelope) -> str:  # noqa: ARG002 - the same in both
        """Return the text, and when a plan limit ends."""
        ends_at = local_time(self.resets_at)
        if ends_at is None:
            return self.message
        wait = f" ({from_now(self.retry_after_s)})" if self.retry_after_s is not None else ""
        return f"{self.message.rstrip('.')}; it resets at {ends_at}{wait}"

    @property
    def details(self) -> dict[str, Any] | None:
        """What programs read of a plan limit; Codex CLI tells its user the time by them."""
        if self.code != PLAN_LIMIT_CODE:
            return None
        return {
            "plan_type": self.plan or None,
            "resets_at": self.resets_at,
            "resets_in_seconds": None if self.retry_after_s is None else ceil(self.retry_after_s),
        }


class UpstreamError(CodexiaError):
    """The Codex backend failed; nothing is wrong with the request."""

    status = 502
    code = "upstream_error"


class UpstreamTruncated(UpstreamError):
    """The upstream stream ended, stalled or broke before its terminal event."""

    code = "server_error"


class UpstreamTimeout(UpstreamTruncated):
    """The upstream sent nothing for longer than `upstream_idle_timeout_s`."""

    status = 504


class Overloaded(CodexiaError):
    """The backend has no capacity at the moment."""

    status = 503
    anthropic_status = 529
    code = "server_is_overloaded"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Crowded(CodexiaError):
    """The gateway itself has no room for the request now; later it has."""

    status = 429
    anthropic_status = 529
    code = "too_many_requests_waiting"
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SupervisorUnavailable(CodexiaError):
    """A worker needed the supervisor and could not reach it."""

    status = 503
    code = "supervisor_unavailable"
    retry_after_s = 1.0


class StateUnavailable(CodexiaError):
    """What was kept cannot be read and nothing more can be kept; the message says why."""

    status = 503
    code = "state_unavailable"
    retry_after_s = 5.0


class ConfigError(CodexiaError):
    """A setting is wrong; `key` and `source` say which and where it came from."""

    def __init__(self, source: str, key: str, reason: str) -> None:
        super().__init__(f"{source}: {key}: {reason}", param=key)
        self.source = source
        self.key = key
        self.reason = reason


def anthropic_envelope(error: CodexiaError, request_id: str) -> dict[str, Any]:
    """Return the Anthropic error object, for a body or an `error` stream event."""
    status = error.status_for("anthropic")
    kind = ANTHROPIC_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    detail: dict[str, Any] = {"type": kind, "message": error.message_for("anthropic")}
    if isinstance(error, (BadRequest, RateLimited)) and error.details is not None:
        detail["details"] = error.details
    return {"type": "error", "error": detail, "request_id": request_id}


def openai_envelope(error: CodexiaError) -> dict[str, Any]:
    """Return the OpenAI error object, for a body or a `data:` chunk of a chat stream."""
    kind = OPENAI_TYPES.get(error.status) or (
        "invalid_request_error" if error.status < 500 else "server_error"
    )
    if error.code in SELF_TYPED_CODES:
        kind = error.code
    details = error.details if isinstance(error, RateLimited) else None
    return {
        "error": {
            "message": error.message_for("openai"),
            "type": kind,
            "param": error.param,
            "code": error.code,
            **(details or {}),
        }
    }


def error_headers(error: CodexiaError) -> list[tuple[str, str]]:
    """Return the retry headers that both vendors' SDKs obey.

    `retry-after` is rounded up to whole seconds, so that a client never comes too early.
    """
    headers: list[tuple[str, str]] = []
    if error.retry_after_s is not None:
        headers.append(("retry-after", str(max(1, -int(-error.retry_after_s // 1)))))
    if error.retryable is not None:
        headers.append(("x-should-retry", "true" if error.retryable else "false"))
    return headers
