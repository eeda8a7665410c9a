"""Every setting is live: one case a key, by what a client or the backend sees of it."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from codexia.config import KEYS
from tests.e2e.live_gateway import IN_FORCE_S, LiveGateway, live_gateway
from tests.e2e.processes import Simulator, running_simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CASES: dict[str, Any] = {}


def case(key: str) -> Callable[[Any], Any]:
    def register(function: Any) -> Any:
        CASES[key] = function
        return function

    return register


@pytest.fixture(scope="module")
def other_simulator() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def live(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    with live_gateway(tmp_path_factory.mktemp("live"), simulator) as gateway:
        yield gateway


@pytest.mark.parametrize("key", KEYS)
def test_edit_of_each_setting_is_live(
    live: LiveGateway, simulator: Simulator, other_simulator: Simulator, key: str
):
    live.save()
    live.call("POST", "/config/reload")
    live.served_as(lambda: True)
    CASES[key](live, simulator, other_simulator)
    assert live.status().config_problem == ""


def last_request(live: LiveGateway, simulator: Simulator, **request: Any) -> dict[str, Any]:
    """Return what the backend gets of a question asked now."""
    assert live.ask(**request).status_code == 200
    return simulator.requests()[-1]


@case("bind_host")
def _(live: LiveGateway, *_: Simulator) -> None:
    live.save(bind_host="localhost")
    live.served_as(lambda: live.url.startswith("http://localhost:"))
    assert live.ask().is_success


@case("bind_port")
def _(live: LiveGateway, *_: Simulator) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    live.save(bind_port=port)
    live.served_as(lambda: live.url.endswith(f":{port}"))
    assert live.ask().is_success


@case("workers")
def _(live: LiveGateway, *_: Simulator) -> None:
    live.save(workers=1)
    live.served_as(lambda: len(live.worker_pids()) == 1)
    assert live.ask().is_success


@case("api_key")
def _(live: LiveGateway, *_: Simulator) -> None:
    with live.each_worker() as workers:
        live.save(api_key="secret")
        for pid in workers.by_pid:
            live.in_force(lambda pid=pid: workers.get(pid, "/v1/models")[0] == 401)
            headers = {"x-api-key": "secret"}
            assert workers.get(pid, "/v1/models", **headers)[0] == 200


@case("api_keys")
def _(live: LiveGateway, *_: Simulator) -> None:
    live.save(api_keys=[{"name": "laptop", "key": "first"}, {"name": "phone", "key": "second"}])
    live.in_force(lambda: live.models() == 401)
    assert isinstance(live.models(authorization="Bearer first"), list)
    assert isinstance(live.models(authorization="Bearer second"), list)


@case("model_fallback")
def _(live: LiveGateway, simulator: Simulator, _: Simulator) -> None:
    live.save(model_fallback="gpt-6-luna")
    live.in_force(
        lambda: last_request(live, simulator, model="claude-x")["body"]["model"] == "gpt-6-luna"
    )


@case("model_aliases")
def _(live: LiveGateway, simulator: Simulator, _: Simulator) -> None:
    live.save(model_aliases={"fast": "gpt-6-luna"})
    live.in_force(lambda: "fast" in live.models())
    assert last_request(live, simulator, model="fast")["body"]["model"] == "gpt-6-luna"


@case("models")
def _(live: LiveGateway, *_: Simulator) -> None:
    with live.each_worker() as workers:
        live.save(models=["one-of-mine"])
        for pid in workers.by_pid:
            live.in_force(lambda pid=pid: b"one-of-mine" in workers.get(pid, "/v1/models")[1])


@case("auth_file")
def _(live: LiveGateway, *_: Simulator) -> None:
    live.save(auth_file=str(live.home / "nowhere.json"))
    live.in_force(lambda: live.ask().status_code == 401)


@case("upstream_base_url")
def _(live: LiveGateway, _: Simulator, other: Simulator) -> None:
    live.save(
        upstream_base_url=f"{other.url}/backend-api",
        oauth_issuer=other.url,
        auth_file=_login_of(live, other),
    )
    live.in_force(lambda: live.ask().is_success and other.stats["responses_started"] > 0)


@case("oauth_issuer")
def _(live: LiveGateway, simulator: Simulator, other: Simulator) -> None:
    file = _login_of(live, other)
    live.save(auth_file=file, oauth_issuer=other.url)
    live.in_force(
        lambda: live.call("GET", "/config")["values"]["oauth_issuer"]["value"] == other.url
    )
    live.call("POST", "/refresh")
    assert other.stats["refreshes"] >= 1
    assert simulator.stats["refreshes"] == 0


def _login_of(live: LiveGateway, other: Simulator) -> str:
    path = live.home / "login-of-the-other.json"
    path.write_bytes(other.credentials())
    path.chmod(0o600)
    return str(path)


@case("originator")
def _(live: LiveGateway, simulator: Simulator, _: Simulator) -> None:
    live.save(originator="somebody")
    live.in_force(lambda: last_request(live, simulator)["headers"]["originator"] == "somebody")


@case("user_agent")
def _(live: LiveGateway, simulator: Simulator, _: Simulator) -> None:
    live.save(user_agent="somebody/1.0")
    live.in_force(lambda: last_request(live, simulator)["headers"]["user-agent"] == "somebody/1.0")


@case("client_version")
def _(live: LiveGateway, *_: Simulator) -> None:
    live.in_force(lambda: "gpt-6-sol" in live.models(), "the catalogue is known")
    live.save(client_version="0.150.0")
    live.in_force(lambda: "gpt-6-sol" not in live.models())


@case("allowed_hosts")
def _(live: LiveGateway, *_: Simulator) -> None:
    assert live.models(host="gateway.example") == 403
    live.save(allowed_hosts=["gateway.example"])
    live.in_force(lambda: live.models(host="gateway.example") != 403)


@case("allowed_origins")
def _(live: LiveGateway, *_: Simulator) -> None:
    origin = "https://app.example"
    assert live.models(origin=origin) == 403
    live.save(allowed_origins=[f"{origin}/"])
    live.in_force(lambda: live.models(origin=origin) != 403)


@case("body_timeout_s")
def _(live: LiveGateway, *_: Simulator) -> None:
    live.save(body_timeout_s=0.3)
    live.in_force(lambda: _settled_at(live, "body_timeout_s", 0.3))

    def waits_for_a_body() -> bool:
        with socket.create_connection(("127.0.0.1", int(live.url.rpartition(":")[2]))) as client:
            client.sendall(
                b"POST /v1/responses HTTP/1.1\r\nhost: localhost\r\n"
                b"content-type: application/json\r\ncontent-length: 9\r\n\r\n{"
            )
            client.settimeout(IN_FORCE_S)
            return b" 408 " not in client.recv(100)

    live.in_force(lambda: not waits_for_a_body())


@case("upstream_idle_timeout_s")
def _(live: LiveGateway, *_: Simulator) -> None:
    live.save(upstream_idle_timeout_s=0.5)
    live.in_force(lambda: _settled_at(live, "upstream_idle_timeout_s", 0.5))
    started = time.monotonic()
    assert live.ask("FAULT[[stall after=4]]").status_code == 504
    assert time.monotonic() - started < 5


@case("upstream_transport")
def _(live: LiveGateway, simulator: Simulator, _: Simulator) -> None:
    live.save(upstream_transport="websocket")
    live.in_force(lambda: live.ask().is_success and simulator.stats["sockets_opened"] > 0)


@case("ping_interval_s")
def _(live: LiveGateway, *_: Simulator) -> None:
    live.save(ping_interval_s=0.2)
    live.in_force(lambda: _settled_at(live, "ping_interval_s", 0.2))
    body = {
        "model": "gpt-5.5",
        "max_tokens": 9,
        "stream": True,
        "messages": [{"role": "user", "content": "FAULT[[stall after=4 for_s=1.5]] SAY[[hi]]"}],
    }
    reply = httpx.post(f"{live.url}/v1/messages", json=body, trust_env=False, timeout=20)
    assert reply.text.count("event: ping") >= 3


@case("max_upstream_streams")
def _(live: LiveGateway, simulator: Simulator, _: Simulator) -> None:
    live.save(max_upstream_streams=1)

    def one_by_one() -> bool:
        simulator.http.post("/simulator/reset")
        with ThreadPoolExecutor(4) as pool:
            asked = list(pool.map(live.ask, ["STREAM[[deltas=5 gap_ms=10]]"] * 4))
        assert all(each.is_success for each in asked)
        return simulator.stats["most_streams"] == 1

    live.in_force(one_by_one)


@case("queue_timeout_s")
def _(live: LiveGateway, *_: Simulator) -> None:
    live.save(max_upstream_streams=1, queue_timeout_s=0.5)

    def one_waits_in_vain() -> bool:
        with ThreadPoolExecutor(2) as pool:
            asked = list(pool.map(live.ask, ["STREAM[[deltas=75 gap_ms=20]]"] * 2))
        return sorted(each.status_code for each in asked) == [200, 429]

    live.in_force(one_waits_in_vain)


@case("max_request_memory_mb")
def _(live: LiveGateway, *_: Simulator) -> None:
    live.save(max_request_memory_mb=1, workers=1)
    live.served_as(lambda: len(live.worker_pids()) == 1)
    long = f"STREAM[[deltas=50 gap_ms=20]] {'x' * 700_000}"
    with ThreadPoolExecutor(2) as pool:
        asked = list(pool.map(live.ask, [long] * 2))
    assert sorted(each.status_code for each in asked) == [200, 503]


@case("batch_concurrency")
def _(live: LiveGateway, *_: Simulator) -> None:
    live.save(batch_concurrency=7)
    live.in_force(lambda: _settled_at(live, "batch_concurrency", 7))


@case("response_store_max_mb")
def _(live: LiveGateway, *_: Simulator) -> None:
    assert _is_stored(live, live.ask())
    live.save(response_store_max_mb=0)
    live.in_force(lambda: not _is_stored(live, live.ask()))


@case("response_store_max_age_h")
def _(live: LiveGateway, *_: Simulator) -> None:
    asked = live.ask()
    assert _is_stored(live, asked)
    live.save(response_store_max_age_h=0.00001)
    live.in_force(lambda: not _is_stored(live, asked))


@case("log_level")
def _(live: LiveGateway, *_: Simulator) -> None:
    live.save(log_level="info")

    def logged() -> bool:
        before = len(live.lines)
        live.ask()
        return any("codexia.access" in line for line in live.lines[before:])

    live.in_force(logged)


@case("log_format")
def _(live: LiveGateway, *_: Simulator) -> None:
    live.save(log_format="json", log_level="info")

    def logged() -> bool:
        before = len(live.lines)
        live.ask()
        return any('"logger":"codexia.access"' in line for line in live.lines[before:])

    live.in_force(logged)


@case("metrics_bind")
def _(live: LiveGateway, *_: Simulator) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def serves() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    live.save(metrics_bind=f"127.0.0.1:{port}")
    live.in_force(serves)
    live.save()
    live.in_force(lambda: not serves())


@case("record")
def _(live: LiveGateway, *_: Simulator) -> None:
    live.save(record="errors")
    live.in_force(lambda: live.ask(tools="no tools").status_code == 400 and _recorded(live))


@case("record_content")
def _(live: LiveGateway, *_: Simulator) -> None:
    live.save(record="all", record_content=False)

    def recorded_without() -> bool:
        live.ask("SAY[[live-canary]]")
        files = _recorded(live)
        return bool(files) and "live-canary" not in files[-1].read_text()

    live.in_force(recorded_without)


@case("record_max_mb")
def _(live: LiveGateway, *_: Simulator) -> None:
    def size_after(prompt: str) -> int:
        live.ask(prompt)
        return sum(path.stat().st_size for path in _recorded(live))

    live.save(record="all")
    live.in_force(lambda: size_after("x" * 250_000) > 2**20)
    live.save(record="all", record_max_mb=1)
    live.in_force(lambda: 0 < size_after("SAY[[hi]]") <= 2**20)


def _recorded(live: LiveGateway) -> list[Path]:
    return sorted((live.home / "recordings").glob("*.json"))


def _settled_at(live: LiveGateway, key: str, value: Any) -> bool:
    config = live.call("GET", "/config")
    return config["values"][key] == {"value": value, "source": "config.json"}


def _is_stored(live: LiveGateway, asked: httpx.Response) -> bool:
    path = f"{live.url}/v1/responses/{asked.json()['id']}"
    return httpx.get(path, trust_env=False).status_code == 200
