"""What clients see when the backend fails, fault by fault, in every dialect, streamed and whole.

Each test asks the same in all six ways at once. The backend's side is checked too: how often it
was asked, and that nothing is left open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from codexia.simulator.generate import stream_text
from tests.e2e.outcomes import ASKS, STREAMED, Outcome, outcomes
from tests.e2e.processes import wait_until
from tests.e2e.streams import session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp

    from tests.e2e.processes import Gateway, Simulator

RESPONSES = "POST /backend-api/codex/responses"
DELTAS, SIZE = 20, 8
TEXT = stream_text(DELTAS, SIZE)
PROMPT = f"STREAM[[deltas={DELTAS} size={SIZE}]]"


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


@pytest.fixture(scope="module")
def gateway_environment() -> dict[str, str]:
    return {"CODEXIA_UPSTREAM_IDLE_TIMEOUT_S": "1"}


@pytest.fixture
async def http(gateway: Gateway, simulator: Simulator) -> AsyncIterator[aiohttp.ClientSession]:
    """A client; afterwards nothing is open, no rule was broken and the gateway serves on."""
    async with session() as http:
        yield http
        wait_until(lambda: simulator.stats["open_streams"] == 0, "nothing is left open", 1)
        assert simulator.stats["violations"] == []
        simulator.http.post("/simulator/reset")
        assert [
            each for each in await outcomes(http, gateway.url, "SAY[[ok]]") if not each.whole
        ] == []


BEFORE_CONTENT = [
    # fault, what it is to clients, how often the backend is asked
    ("429", PLAN_LIMIT, 1),
    ("429_transient", BURST_LIMIT, 1),
    ("500", FAILED, 3),
    ("502", FAILED, 3),
    ("503", OVERLOADED, 3),
    ("401", NO_LOGIN, 2),
    ("401 code=unauthorized", NO_LOGIN, 2),
    ("403", BLOCKED, 1),
    ("404", MISSING, 1),
    ("413", TOO_LARGE, 1),
    ("cut after=0", BROKE, 3),
    ("cut after=2", BROKE, 3),
    ("cut after=2 reset=true", BROKE, 3),
    ("cut after=1 mid=true", BROKE, 3),
    ("truncate after=2", ENDED, 3),
    ("failed", OVERLOADED, 3),
    ("failed shape=error", OVERLOADED, 3),
    ("failed code=server_error", FAILED, 3),
    ("failed code=rate_limit_exceeded", BURST_LIMIT, 1),
    ("failed code=usage_limit_reached", PLAN_LIMIT_WITHOUT_TIME, 1),
    ("failed code=context_length_exceeded", TOO_LONG, 1),
    ("failed code=invalid_prompt", BAD_PROMPT, 1),
    ("stall after=2", SILENT, 1),
    ("never", SILENT, 1),
]


@pytest.mark.parametrize(
    ("fault", "error", "attempts"), BEFORE_CONTENT, ids=[row[0] for row in BEFORE_CONTENT]
)
async def test_fault_before_content_is_an_error_status(
    http: aiohttp.ClientSession,
    gateway: Gateway,
    simulator: Simulator,
    fault: str,
    error: Error,
    attempts: int,
):
    for each in await outcomes(http, gateway.url, f"{PROMPT} FAULT[[{fault}]]"):
        assert_error(each, error)
        assert each.status == expected_status(each, error)
        assert each.headers.get("retry-after") == error.retry_after
        assert each.headers.get("x-should-retry") == error.should_retry
        assert each.text == ""
    assert simulator.stats["requests"][RESPONSES] == attempts * len(ASKS)


def expected_status(seen: Outcome, error: Error) -> int:
    return (error.anthropic if seen.ask.dialect == "messages" else error.openai)[0]


def assert_error(seen: Outcome, expected: Error) -> None:
    """Check an error object, from a body or from inside a stream."""
    error: dict[str, Any] = seen.error or {}
    says = expected.says
    if seen.ask.dialect == "messages":
        assert error["type"] == expected.anthropic[1]
        assert seen.error_id == seen.headers["request-id"]
        says = expected.says_anthropic or says
    else:
        # A Response object has no place for the type.
        assert error.get("type", expected.openai[1]) == expected.openai[1]
        assert error["code"] == expected.openai[2]
    assert re.search(says, error["message"])


AFTER_CONTENT = [
    # fault, what it is to clients, how many of the deltas came before
    ("cut after=12", BROKE, 8),
    ("cut after=12 mid=true", BROKE, 8),
    ("cut after=12 reset=true", BROKE, 8),
    ("truncate after=12", ENDED, 8),
    ("truncate", ENDED, DELTAS),
    ("garbage after=12", NOT_JSON, 8),
    ("failed after=12", OVERLOADED, 8),
    ("failed after=12 shape=error", OVERLOADED, 8),
    ("failed after=12 code=server_error", FAILED, 8),
    ("failed after=12 code=rate_limit_exceeded", BURST_LIMIT, 8),
    ("stall after=12", SILENT, 8),
]


@pytest.mark.parametrize(
    ("fault", "error", "deltas"), AFTER_CONTENT, ids=[row[0] for row in AFTER_CONTENT]
)
async def test_fault_after_content_ends_the_stream_with_an_error(
    http: aiohttp.ClientSession,
    gateway: Gateway,
    simulator: Simulator,
    fault: str,
    error: Error,
    deltas: int,
):
    for each in await outcomes(http, gateway.url, f"{PROMPT} FAULT[[{fault}]]"):
        assert_error(each, error)
        if each.ask.stream:
            assert each.status == 200
            assert each.ends == {"error": 1}
            assert each.text == TEXT[: deltas * SIZE]
        else:
            assert each.status == expected_status(each, error)
    # What has begun is never asked for again.
    assert simulator.stats["requests"][RESPONSES] == len(ASKS)


async def test_failure_in_the_same_read_as_content_is_not_retried(
    http: aiohttp.ClientSession, gateway: Gateway, simulator: Simulator
):
    # The simulator writes all that comes before the failure at once, so that content and
    # failure mostly arrive together.
    for _ in range(5):
        for each in await outcomes(http, gateway.url, "FAULT[[failed after=3]]", STREAMED):
            assert each.ends == {"error": 1}
    assert simulator.stats["requests"][RESPONSES] == 5 * len(STREAMED)


async def test_overflow_after_content_stops_a_message_by_its_own_reason(
    http: aiohttp.ClientSession, gateway: Gateway
):
    prompt = f"{PROMPT} FAULT[[failed after=12 code=context_length_exceeded]]"
    chat, responses, messages = await outcomes(http, gateway.url, prompt, STREAMED)
    assert chat.ends == responses.ends == {"error": 1}
    assert messages.whole
    assert messages.text == TEXT[: 8 * SIZE]
    assert b'"stop_reason":"model_context_window_exceeded"' in messages.raw


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


@pytest.mark.parametrize("fault", HEALED)
async def test_passing_fault_before_content_is_healed_unseen(
    http: aiohttp.ClientSession, gateway: Gateway, simulator: Simulator, fault: str
):
    kind, _, parameters = fault.partition(" ")
    simulator.fault(
        count=len(ASKS), kind=kind, **dict(pair.split("=") for pair in parameters.split())
    )
    for each in await outcomes(http, gateway.url, PROMPT):
        assert each.whole, each
        assert each.text == TEXT
    assert simulator.stats["requests"][RESPONSES] == 2 * len(ASKS)


async def test_refused_token_is_refreshed_once_for_all(
    http: aiohttp.ClientSession, gateway: Gateway, simulator: Simulator
):
    simulator.expire_tokens()
    for each in await outcomes(http, gateway.url, PROMPT):
        assert each.whole, each
        assert each.text == TEXT
    assert simulator.stats["refreshes"] == 1
    assert simulator.stats["refresh_token_reuse"] == 0


@pytest.mark.parametrize(
    "fault",
    ["slice size=1", "slice size=7", "unknown", "stall after=12 for_s=0.3", "never for_s=0.3"],
)
async def test_harmless_fault_changes_nothing(
    http: aiohttp.ClientSession, gateway: Gateway, simulator: Simulator, fault: str
):
    for each in await outcomes(http, gateway.url, f"{PROMPT} FAULT[[{fault}]]"):
        assert each.whole, each
        assert each.text == TEXT
    assert simulator.stats["requests"][RESPONSES] == len(ASKS)


async def test_every_request_has_an_id_of_its_own(http: aiohttp.ClientSession, gateway: Gateway):
    prompts = ["SAY[[ok]]", "FAULT[[403]]", f"{PROMPT} FAULT[[failed after=12]]"]
    seen = [each for prompt in prompts for each in await outcomes(http, gateway.url, prompt)]
    assert len({each.headers["request-id"] for each in seen}) == len(prompts) * len(ASKS)
    assert all(each.headers["request-id"] == each.headers["x-request-id"] for each in seen)
