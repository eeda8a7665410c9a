"""The gateway asks the backend by WebSocket: what it sends there, and what it does if that fails."""

from __future__ import annotations

import re
import threading
from itertools import count
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest

from tests.e2e.processes import ForgetfulGateway, log_in, running_gateway, wait_until
from tests.e2e.upstream_conversations import CONVERSATIONS, ask, converse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.processes import Gateway, Simulator

IDLE_TIMEOUT_S = "3"
POST = "POST /backend-api/codex/responses"
MESSAGE = "WEBSOCKET response.create"
MADE = re.compile(r"call_[\w-]{20,}|gAAAAAB[\w=-]+")
"""What the backend makes up anew each time."""


@pytest.fixture(scope="module")
def gateway_of(
    simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Any]:
    """Start a gateway of one worker for a transport."""

    def start(transport: str) -> Any:
        home = tmp_path_factory.mktemp("gateway")
        log_in(home, simulator)
        return running_gateway(
            home,
            simulator,
            *("--workers", "1", "-v"),
            kind=ForgetfulGateway,
            CODEXIA_UPSTREAM_TRANSPORT=transport,
            CODEXIA_UPSTREAM_IDLE_TIMEOUT_S=IDLE_TIMEOUT_S,
        )

    return start


@pytest.fixture(scope="module")
def over_http(gateway_of: Callable[[str], Any]) -> Iterator[Gateway]:
    with gateway_of("http") as gateway:
        yield gateway


@pytest.fixture(scope="module")
def gateway(gateway_of: Callable[[str], Any]) -> Iterator[Gateway]:
    with gateway_of("websocket") as gateway:
        yield gateway


@pytest.fixture(scope="module")
def auto(gateway_of: Callable[[str], Any]) -> Iterator[Gateway]:
    with gateway_of("auto") as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def no_violation(simulator: Simulator) -> Iterator[None]:
    yield
    assert simulator.stats["violations"] == []


_names = count()


@pytest.fixture
def session() -> str:
    """Name a conversation that no other test has sockets of."""
    return f"session-{next(_names)}"


def seen(simulator: Simulator) -> dict[str, int]:
    """Return how often the backend was asked each way, and how many sockets it opened."""
    stats = simulator.stats
    asked = stats["requests"]
    return {
        "post": asked.get(POST, 0),
        "message": asked.get(MESSAGE, 0),
        "opened": stats["sockets_opened"],
        "incremental": stats["incremental_requests"],
    }


def inputs(simulator: Simulator) -> list[Any]:
    """Return the input of each request as the backend has it, in one form."""
    return [_plain(request["body"]["input"]) for request in simulator.requests()]


def _plain(items: list[dict[str, Any]]) -> Any:
    """Return items without what the backend adds, and with what it makes up numbered."""
    plain = []
    for item in items:
        kept = {key: item[key] for key in item if key not in {"id", "status", "phase"}}
        for part in kept.get("content") or []:
            part.pop("annotations", None)
            part.pop("logprobs", None)
        if "arguments" in kept:
            kept["arguments"] = orjson.loads(kept["arguments"])
        plain.append(kept)
    numbers: dict[str, str] = {}
    text = orjson.dumps(plain, option=orjson.OPT_SORT_KEYS).decode()
    text = MADE.sub(lambda found: numbers.setdefault(found[0], f"made-{len(numbers)}"), text)
    return orjson.loads(text)


@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_ten_turns_with_tools_reach_the_backend_as_over_http(
    gateway: Gateway, over_http: Gateway, simulator: Simulator, conversation: str, session: str
):
    converse(over_http, conversation, f"{session}-http", turns=10)
    expected = inputs(simulator)
    assert len(expected) == 20
    simulator.http.post("/simulator/reset").raise_for_status()
    converse(gateway, conversation, session, turns=10)
    assert inputs(simulator) == expected
    assert seen(simulator) == {"post": 0, "message": 20, "opened": 1, "incremental": 19}
    assert simulator.stats["disconnects"] == 0


@pytest.mark.parametrize(
    "stem",
    ["01_text", "01b_text_populated_output", "02_reasoning_text", "03_parallel_tools",
     "05_web_search", "07_refusal", "08b_failed_overloaded_prelude", "08d_failed_rate_limit",
     "09_incomplete_max_output_tokens", "11c_model_not_supported_400", "23_metadata_keepalive"],
)  # fmt: skip
def test_answers_are_those_of_http(gateway: Gateway, over_http: Gateway, stem: str, session: str):
    answers = [ask(each, f"PLAY[[{stem}]]", session) for each in (over_http, gateway)]
    first, second = ({"status": each.status_code, **each.json()} for each in answers)
    for each in (first, second):
        each.pop("id", None)
        each.pop("request_id", None)
    assert first == second


@pytest.mark.parametrize("fault", ["429", "429_transient", "503", "404"])
def test_refusals_are_those_of_http(gateway: Gateway, over_http: Gateway, fault: str, session: str):
    told = ("retry-after", "x-should-retry")
    first, second = (ask(each, f"FAULT[[{fault}]]", session) for each in (over_http, gateway))
    assert first.json()["error"] == second.json()["error"]
    assert first.status_code == second.status_code
    assert [first.headers.get(name) for name in told] == [second.headers.get(n) for n in told]


def test_a_token_refused_in_a_message_is_refreshed_once(
    gateway: Gateway, simulator: Simulator, session: str
):
    assert ask(gateway, "hi", session).status_code == 200
    simulator.fault(kind="401")
    assert ask(gateway, "hi", session).status_code == 200
    assert simulator.stats["refreshes"] == 1


def test_a_token_refused_at_the_upgrade_is_refreshed_once(
    gateway: Gateway, simulator: Simulator, session: str
):
    simulator.expire_tokens()
    assert ask(gateway, "hi", session).status_code == 200
    assert simulator.stats["refreshes"] == 1
    assert seen(simulator)["post"] == 0


def test_a_forgotten_response_is_sent_whole_on_the_same_socket(
    gateway: Gateway, simulator: Simulator, session: str
):
    simulator.fault(kind="forgotten")
    converse(gateway, "messages", session, turns=1)
    assert seen(simulator) == {"post": 0, "message": 3, "opened": 1, "incremental": 0}


def test_an_expired_socket_gives_way_to_another(
    gateway: Gateway, simulator: Simulator, session: str
):
    assert ask(gateway, "hi", session).status_code == 200
    simulator.fault(kind="socket_limit")
    assert ask(gateway, "hi", session).status_code == 200
    assert seen(simulator) == {"post": 0, "message": 3, "opened": 2, "incremental": 0}


def test_a_used_socket_that_was_closed_gives_way_to_another(
    gateway: Gateway, simulator: Simulator, session: str
):
    assert ask(gateway, "hi", session).status_code == 200
    simulator.fault(kind="socket_close", code=1011)
    assert ask(gateway, "hi", session).status_code == 200
    assert seen(simulator) == {"post": 0, "message": 3, "opened": 2, "incremental": 0}


def test_what_is_too_big_for_the_backend_goes_over_http(
    gateway: Gateway, simulator: Simulator, session: str
):
    simulator.fault(kind="socket_close", code=1009)
    assert ask(gateway, "hi", session).status_code == 200
    assert seen(simulator) == {"post": 1, "message": 1, "opened": 1, "incremental": 0}
    assert ask(gateway, "hi", session).status_code == 200
    assert seen(simulator)["message"] == 2


def test_a_request_over_16_mib_goes_over_http(gateway: Gateway, simulator: Simulator, session: str):
    assert ask(gateway, "x" * (16 << 20), session).status_code == 200
    assert seen(simulator) == {"post": 1, "message": 0, "opened": 0, "incremental": 0}


def test_a_message_with_little_new_may_go_on_from_much(
    gateway: Gateway, simulator: Simulator, session: str
):
    half = "x" * (9 << 20)
    messages = [{"role": "user", "content": f"{half} SAY[[one]]"}]
    assert ask(gateway, messages, session).json()["content"][0]["text"] == "one"
    messages += [{"role": "assistant", "content": "one"}]
    messages += [{"role": "user", "content": f"{half} SAY[[two]]"}]
    # The request as a whole is over 16 MiB, what is new of it is not.
    assert ask(gateway, messages, session).json()["content"][0]["text"] == "two"
    assert seen(simulator) == {"post": 0, "message": 2, "opened": 1, "incremental": 1}


def test_a_socket_that_breaks_before_content_is_asked_again(
    gateway: Gateway, simulator: Simulator, session: str
):
    simulator.fault(kind="cut", after=2)
    assert ask(gateway, "hi", session).status_code == 200
    assert seen(simulator) == {"post": 0, "message": 2, "opened": 2, "incremental": 0}


@pytest.mark.parametrize("fault", ["cut after=6", "truncate after=6", "garbage after=6"])
def test_nothing_is_sent_again_after_the_first_content(
    gateway: Gateway, simulator: Simulator, fault: str, session: str
):
    with stream(gateway, f"FAULT[[{fault}]] SAY[[a long enough text]]", session) as reply:
        events = [line for line in reply.iter_lines() if line.startswith("event:")]
    assert "event: message_start" in events
    assert events[-1] == "event: error"
    assert seen(simulator)["message"] == 1
    assert seen(simulator)["post"] == 0
    # What is left of it reaches nobody else.
    assert ask(gateway, "SAY[[fine]]", session).json()["content"][-1]["text"] == "fine"


def test_silence_is_a_timeout_and_no_reason_to_ask_again(
    gateway: Gateway, simulator: Simulator, session: str
):
    assert ask(gateway, "FAULT[[never]]", session).status_code == 504
    assert seen(simulator) == {"post": 0, "message": 1, "opened": 1, "incremental": 0}


def test_a_client_that_leaves_stops_the_backend(
    gateway: Gateway, simulator: Simulator, session: str
):
    with stream(gateway, "STREAM[[deltas=1000 gap_ms=20]]", session) as reply:
        next(reply.iter_lines())
    wait_until(lambda: simulator.stats["open_streams"] == 0, "the backend stops")
    assert simulator.stats["disconnects"] == 1


def test_requests_at_once_take_sockets_of_their_own_and_then_http(
    gateway: Gateway, simulator: Simulator, session: str
):
    statuses: list[int] = []

    def one() -> None:
        statuses.append(ask(gateway, "STREAM[[deltas=20 gap_ms=50]]", session).status_code)

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 6
    assert seen(simulator) == {"post": 2, "message": 4, "opened": 4, "incremental": 0}


def test_another_task_of_the_session_leaves_the_conversations_socket_alone(
    gateway: Gateway, simulator: Simulator, session: str
):
    history = converse(gateway, "messages", session, turns=1)
    assert ask(gateway, "what is this about?", session, system="titles").status_code == 200
    converse(gateway, "messages", session, turns=1, history=history)
    assert seen(simulator) == {"post": 0, "message": 5, "opened": 2, "incremental": 3}


def test_headers_of_a_codex_client_go_with_the_message(
    gateway: Gateway, simulator: Simulator, session: str
):
    body = {"model": "gpt-5.5", "input": "hi", "store": False, "prompt_cache_key": session}
    headers = {"x-codex-turn-state": "ts_1", "x-openai-internal-codex-responses-lite": "true"}
    reply = httpx.post(
        f"{gateway.url}/v1/responses", json=body, headers=headers, trust_env=False, timeout=20
    )
    assert reply.status_code == 200
    assert reply.headers["openai-model"] == "gpt-5.5"
    [request] = simulator.requests()
    told = request["body"]["client_metadata"]
    assert told["x-codex-turn-state"] == "ts_1"
    assert told["ws_request_header_x_openai_internal_codex_responses_lite"] == "true"


def test_the_access_line_tells_the_transport(gateway: Gateway, session: str):
    ask(gateway, "hi", session)
    wait_until(lambda: any("transport=websocket" in line for line in gateway.lines), "a line")


@pytest.mark.parametrize(
    ("faults", "upgrades"),
    [([{"kind": "handshake", "status": 426}], 1), ([{"kind": "handshake", "status": 403}] * 2, 2)],
)
def test_refused_upgrades_lead_to_http_for_a_while(
    gateway_of: Callable[[str], Any], simulator: Simulator, faults: list[Any], upgrades: int
):
    with gateway_of("websocket") as fresh:
        for fault in faults:
            simulator.fault(**fault)
        for _ in range(3):
            assert ask(fresh, "hi", "s").status_code == 200
        assert seen(simulator) == {"post": 3, "message": 0, "opened": 0, "incremental": 0}
        assert simulator.stats["requests"]["GET /backend-api/codex/responses"] == upgrades


def test_one_failed_upgrade_is_tried_again(gateway: Gateway, simulator: Simulator, session: str):
    simulator.fault(kind="handshake", status=503)
    assert ask(gateway, "hi", session).status_code == 200
    assert seen(simulator) == {"post": 0, "message": 1, "opened": 1, "incremental": 0}


def test_a_model_without_preference_is_asked_over_http(
    auto: Gateway, simulator: Simulator, session: str
):
    assert ask(auto, "hi", session, model="gpt-of-tomorrow").status_code == 400
    assert seen(simulator)["post"] == 1
    assert ask(auto, "hi", session).status_code == 200
    assert seen(simulator) == {"post": 1, "message": 1, "opened": 1, "incremental": 0}


def test_a_fresh_socket_that_is_closed_at_once_leads_to_http_for_a_while(
    auto: Gateway, simulator: Simulator
):
    simulator.fault(kind="socket_close", code=1011)
    for _ in range(2):
        assert ask(auto, "hi", "s").status_code == 200
    assert seen(simulator) == {"post": 2, "message": 1, "opened": 1, "incremental": 0}


def stream(gateway: Gateway, prompt: str, session: str) -> Any:
    """Open a stream of the Messages dialect."""
    body = {
        "model": "gpt-5.5",
        "max_tokens": 4000,
        "stream": True,
        "messages": [{"role": "user", "content": prompt}],
        "metadata": {"user_id": f"user_session_{session}"},
    }
    return httpx.stream(
        "POST", f"{gateway.url}/v1/messages", json=body, trust_env=False, timeout=20
    )
