"""What clients are told of each fault of the backend: the one list, for tests and for the README.

A fault is named as the simulator knows it (`codexia/simulator/faults.py`). The README has this
list as a table; `tests/test_fault_table.py` compares them.
"""

from __future__ import annotations

from dataclasses import dataclass

DELTAS = 20
"""Of the stream that a fault comes into."""


@dataclass(frozen=True)
class Error:
    """One kind of failure, as each dialect tells it.

    Attributes:
        openai: status, `error.type` and `error.code` of Chat Completions and Responses.
        anthropic: status and `error.type` of Messages.
        says: what the message matches; `says_anthropic` where that differs.
        retry_after: that header, None if it must be missing; `should_retry` likewise.
    """

    openai: tuple[int, str, str | None]
    anthropic: tuple[int, str]
    says: str
    says_anthropic: str | None = None
    retry_after: str | None = None
    should_retry: str | None = None


def rate_limit(code: str, says: str, kind: str = "rate_limit_error", **headers: str) -> Error:
    return Error((429, kind, code), (429, "rate_limit_error"), says, **headers)


def bad_request(code: str, says: str, says_anthropic: str | None = None) -> Error:
    kind = "invalid_request_error"
    return Error((400, kind, code), (400, kind), says, says_anthropic)


def backend_failed(says: str) -> Error:
    return Error((502, "server_error", "server_error"), (502, "api_error"), says)


# Codex CLI knows the plan's limit by the type; without it, it waits for hours.
USED_UP = "usage_limit_reached"
PLAN_LIMIT = rate_limit(USED_UP, "usage.limit", USED_UP, retry_after="13873", should_retry="false")
PLAN_LIMIT_WITHOUT_TIME = rate_limit(USED_UP, "usage.limit", USED_UP, should_retry="false")
BURST_LIMIT = rate_limit("rate_limit_exceeded", "try again in 1.898s", retry_after="2")
OVERLOADED = Error(
    (503, "server_error", "server_is_overloaded"), (529, "overloaded_error"), "overloaded"
)
NO_LOGIN = Error(
    (401, "authentication_error", "login_required"),
    (401, "authentication_error"),
    "run `codexia login`",
    should_retry="false",
)
BLOCKED = Error(
    (403, "permission_error", "cloudflare_blocked"), (403, "permission_error"), "Cloudflare page"
)
MISSING = Error(
    (404, "invalid_request_error", None), (404, "not_found_error"), "answered 404: Not Found"
)
TOO_LARGE = Error((413, "invalid_request_error", None), (413, "request_too_large"), "larger than")
TOO_LONG = bad_request(
    "context_length_exceeded",
    "context window",
    r"^prompt is too long: \d+ tokens > 272000 maximum$",
)
BAD_PROMPT = bad_request("invalid_prompt", "invalid_prompt")
FAILED = backend_failed("You can retry your request")
BROKE = backend_failed("the connection to the Codex backend broke")
ENDED = backend_failed("closed the stream before its end")
NOT_JSON = backend_failed("not JSON")
SILENT = Error(
    (504, "server_error", "server_error"),
    (504, "timeout_error"),
    "backend (stopped sending|did not answer)",
)


@dataclass(frozen=True)
class Row:
    """One fault and what becomes of it.

    Attributes:
        fault: as the simulator knows it.
        happens: in words.
        error: what clients are told.
        asked: how often the backend is asked, where no content came before.
        deltas: how many deltas come before the error, where some did.
    """

    fault: str
    happens: str
    error: Error
    asked: int = 1
    deltas: int = 0


BEFORE_CONTENT = [
    Row("429", "the plan is used up", PLAN_LIMIT, asked=1),
    Row("429_transient", "a passing limit", BURST_LIMIT, asked=1),
    Row("500", "500", FAILED, asked=3),
    Row("502", "502", FAILED, asked=3),
    Row("503", "503, overloaded", OVERLOADED, asked=3),
    Row("401", "the token is refused, and again after a refresh", NO_LOGIN, asked=2),
    Row("401 code=unauthorized", "likewise, without a code", NO_LOGIN, asked=2),
    Row("403", "a page of Cloudflare", BLOCKED, asked=1),
    Row("404", "404", MISSING, asked=1),
    Row("413", "413", TOO_LARGE, asked=1),
    Row("cut after=0", "the connection ends after the headers", BROKE, asked=3),
    Row("cut after=2", "after two events", BROKE, asked=3),
    Row("cut after=2 reset=true", "by a reset", BROKE, asked=3),
    Row("cut after=1 mid=true", "within an event", BROKE, asked=3),
    Row("truncate after=2", "the body ends without a terminal event", ENDED, asked=3),
    Row("failed", "`response.failed`: overloaded", OVERLOADED, asked=3),
    Row("failed shape=error", "an `error` event: overloaded", OVERLOADED, asked=3),
    Row("failed code=server_error", "`response.failed`: server error", FAILED, asked=3),
    Row("failed code=rate_limit_exceeded", "a passing limit", BURST_LIMIT, asked=1),
    Row("failed code=usage_limit_reached", "the plan is used up", PLAN_LIMIT_WITHOUT_TIME, asked=1),
    Row("failed code=context_length_exceeded", "the prompt is too long", TOO_LONG, asked=1),
    Row("failed code=invalid_prompt", "the prompt is refused", BAD_PROMPT, asked=1),
    Row("stall after=2", "nothing more comes", SILENT, asked=1),
    Row("never", "not even headers come", SILENT, asked=1),
]

AFTER_CONTENT = [
    Row("cut after=12", "the connection ends", BROKE, deltas=8),
    Row("cut after=12 mid=true", "within an event", BROKE, deltas=8),
    Row("cut after=12 reset=true", "by a reset", BROKE, deltas=8),
    Row("truncate after=12", "the body ends without a terminal event", ENDED, deltas=8),
    Row("truncate", "likewise, after all of the text", ENDED, deltas=DELTAS),
    Row("garbage after=12", "an event that is no JSON", NOT_JSON, deltas=8),
    Row("failed after=12", "`response.failed`: overloaded", OVERLOADED, deltas=8),
    Row("failed after=12 shape=error", "an `error` event: overloaded", OVERLOADED, deltas=8),
    Row("failed after=12 code=server_error", "`response.failed`: server error", FAILED, deltas=8),
    Row("failed after=12 code=rate_limit_exceeded", "a passing limit", BURST_LIMIT, deltas=8),
    Row("stall after=12", "nothing more comes", SILENT, deltas=8),
]

HEALED = [
    "500",
    "502",
    "503",
    "cut after=0",
    "cut after=2",
    "cut after=1 mid=true",
    "cut after=2 reset=true",
    "truncate after=2",
    "failed",
    "failed shape=error",
    "failed code=server_error",
]
"""Faults that pass, unseen by clients, where the second try goes well."""

HARMLESS = {
    "slice size=1": "the body comes byte by byte",
    "slice size=7": "in pieces",
    "unknown": "events, fields and items that nobody knows",
    "stall after=12 for_s=0.3": "a pause",
    "never for_s=0.3": "late headers",
}

NO_ERROR = {"empty": ("an end right after the beginning", "an answer with nothing in it")}

TIMES = {1: "once", 2: "twice", 3: "three times"}


def markdown() -> str:
    """Return the README's table."""
    lines = [
        "| simulator fault | what happens | asked | OpenAI dialects | Messages |",
        "|---|---|---|---|---|",
    ]
    lines += [_line(row) for row in (*BEFORE_CONTENT, *AFTER_CONTENT)]
    rows = {fault: (happens, "the whole answer") for fault, happens in HARMLESS.items()}
    for fault, (happens, outcome) in (rows | NO_ERROR).items():
        lines.append(f"| `{fault}` | {happens} | once | {outcome} | {outcome} |")
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    status, kind, code = row.error.openai
    told = f"{status} `{kind}`" + (f", `{code}`" if code and code != kind else "")
    for name, value in (
        ("retry-after", row.error.retry_after),
        ("x-should-retry", row.error.should_retry),
    ):
        if value and not row.deltas:
            told += f", `{name}: {value}`"
    anthropic_status, anthropic_kind = row.error.anthropic
    return (
        f"| `{row.fault}` | {row.happens} | {TIMES[row.asked]} | {told} "
        f"| {anthropic_status} `{anthropic_kind}` |"
    )
