"""What clients see when the backend fails, fault by fault, in every dialect, streamed and whole.

Each test asks the same in all six ways at once. The backend's side is checked too: how often it
was asked, and that nothing is left open.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from codexia.simulator.generate import stream_text
from tests.e2e.fault_table import AFTER_CONTENT, BEFORE_CONTENT, DELTAS, HARMLESS, HEALED, NO_ERROR
from tests.e2e.outcomes import ASKS, STREAMED, Outcome, outcomes
from tests.e2e.processes import wait_until
from tests.e2e.streams import session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp

    from tests.e2e.fault_table import Error, Row
    from tests.e2e.processes import Gateway, Simulator

RESPONSES = "POST /backend-api/codex/responses"
SIZE = 8
TEXT = stream_text(DELTAS, SIZE)
PROMPT = f"STREAM[[deltas={DELTAS} size={SIZE}]]"


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


@pytest.mark.parametrize("row", BEFORE_CONTENT, ids=lambda row: row.fault)
async def test_fault_before_content_is_an_error_status(
    http: aiohttp.ClientSession, gateway: Gateway, simulator: Simulator, row: Row
):
    error = row.error
    for each in await outcomes(http, gateway.url, f"{PROMPT} FAULT[[{row.fault}]]"):
        assert_error(each, error)
        assert each.status == expected_status(each, error)
        assert each.headers.get("retry-after") == error.retry_after
        assert each.headers.get("x-should-retry") == error.should_retry
        assert each.text == ""
    assert simulator.stats["requests"][RESPONSES] == row.asked * len(ASKS)


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


@pytest.mark.parametrize("row", AFTER_CONTENT, ids=lambda row: row.fault)
async def test_fault_after_content_ends_the_stream_with_an_error(
    http: aiohttp.ClientSession, gateway: Gateway, simulator: Simulator, row: Row
):
    for each in await outcomes(http, gateway.url, f"{PROMPT} FAULT[[{row.fault}]]"):
        assert_error(each, row.error)
        if each.ask.stream:
            assert each.status == 200
            assert each.ends == {"error": 1}
            assert each.text == TEXT[: row.deltas * SIZE]
        else:
            assert each.status == expected_status(each, row.error)
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


@pytest.mark.parametrize("fault", HARMLESS)
async def test_harmless_fault_changes_nothing(
    http: aiohttp.ClientSession, gateway: Gateway, simulator: Simulator, fault: str
):
    for each in await outcomes(http, gateway.url, f"{PROMPT} FAULT[[{fault}]]"):
        assert each.whole, each
        assert each.text == TEXT
    assert simulator.stats["requests"][RESPONSES] == len(ASKS)


@pytest.mark.parametrize("fault", NO_ERROR)
async def test_answer_with_nothing_in_it_is_whole(
    http: aiohttp.ClientSession, gateway: Gateway, simulator: Simulator, fault: str
):
    for each in await outcomes(http, gateway.url, f"{PROMPT} FAULT[[{fault}]]", STREAMED):
        assert each.whole, each
        assert each.text == ""
    assert simulator.stats["requests"][RESPONSES] == len(STREAMED)


async def test_every_request_has_an_id_of_its_own(http: aiohttp.ClientSession, gateway: Gateway):
    prompts = ["SAY[[ok]]", "FAULT[[403]]", f"{PROMPT} FAULT[[failed after=12]]"]
    seen = [each for prompt in prompts for each in await outcomes(http, gateway.url, prompt)]
    assert len({each.headers["request-id"] for each in seen}) == len(prompts) * len(ASKS)
    assert all(each.headers["request-id"] == each.headers["x-request-id"] for each in seen)
