"""The responses of faults that are no stream, in the bodies that the backend is known for."""

from __future__ import annotations

from typing import assert_never

import orjson

from codexia.simulator.faults import (
    Cloudflare,
    HttpFault,
    Missing,
    RateLimit,
    ServerError,
    Unauthorized,
    UsageLimit,
)
from codexia.simulator.findings import (
    HttpAnswer,
    cloudflare_answer,
    detail_answer,
    error_answer,
    expired_answer,
    too_large_answer,
)

FAILURE_MESSAGES = {
    "server_is_overloaded": "Our servers are currently overloaded. Please try again later.",
    "slow_down": "Our servers are currently overloaded. Please try again later.",
    "rate_limit_exceeded": (
        "Rate limit reached for gpt-5.5 on tokens per min (TPM): Limit 500000, Used 499100, "
        "Requested 4100. Please try again in 1.898s."
    ),
    "context_length_exceeded": (
        "Your input exceeds the context window of this model. Please adjust your input and try "
        "again."
    ),
    "server_error": (
        "An error occurred while processing your request. You can retry your request."
    ),
}
"""What `response.failed` says, by code; other codes get a text that names them."""


def failure_message(code: str) -> str:
    """Return the text of an in-stream failure."""
    return FAILURE_MESSAGES.get(code, f"The response failed: {code}.")


def http_answer(fault: HttpFault, now: float) -> HttpAnswer:  # noqa: PLR0911 - a table
    """Return the response of a fault; `now` is in unix seconds."""
    match fault:
        case UsageLimit():
            return _usage_limit(fault, int(now))
        case RateLimit():
            message = f"Rate limit reached. Please try again in {fault.try_again_in_s:g}s."
            return error_answer(message, code="rate_limit_exceeded", status=429)
        case ServerError(kind="503"):
            return _overloaded()
        case ServerError():
            message = failure_message("server_error")
            return error_answer(message, code="server_error", status=int(fault.kind))
        case Unauthorized():
            return _unauthorized(fault.code)
        case Missing():
            return detail_answer("Not Found", 404)
        case Cloudflare():
            return cloudflare_answer() if fault.kind == "403" else too_large_answer()
        case _:
            assert_never(fault)


def _usage_limit(fault: UsageLimit, now: int) -> HttpAnswer:
    resets_at = now + fault.resets_in_seconds
    error = {
        "type": "usage_limit_reached",
        "message": "The usage limit has been reached",
        "plan_type": fault.plan_type,
        "resets_at": resets_at,
        "eligible_promo": None,
        "resets_in_seconds": fault.resets_in_seconds,
    }
    headers = {
        "x-codex-primary-used-percent": "100",
        "x-codex-primary-reset-after-seconds": str(fault.resets_in_seconds),
        "x-codex-primary-reset-at": str(resets_at),
    }
    return HttpAnswer(429, orjson.dumps({"error": error}), headers=headers)


def _overloaded() -> HttpAnswer:
    code = "server_is_overloaded"
    error = {
        "type": "service_unavailable_error",
        "code": code,
        "message": failure_message(code),
        "param": None,
    }
    return HttpAnswer(503, orjson.dumps({"error": error}))


def _unauthorized(code: str) -> HttpAnswer:
    if code == "unauthorized":
        return detail_answer("Unauthorized", 401)
    if code == "token_expired":
        return expired_answer()
    message = "Your authentication token has been invalidated. Please try signing in again."
    return error_answer(message, code=code, status=401)
