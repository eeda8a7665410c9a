"""The simulator as a process of its own, steered and read over HTTP."""

from __future__ import annotations

import signal
import subprocess
import sys

import httpx
import pytest


@pytest.fixture(scope="module")
def address():
    """The address of a running simulator process."""
    command = [sys.executable, "-m", "codexia.simulator", "--bind", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        assert line.startswith("simulator listening on http://127.0.0.1:")
        yield line.split()[-1]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.fixture
def control(address):
    with httpx.Client(base_url=f"{address}/simulator") as client:
        client.post("/reset")
        yield client


def respond(control: httpx.Client, credentials: dict, **fields) -> httpx.Response:
    headers = {
        "Authorization": f"Bearer {credentials['access_token']}",
        "ChatGPT-Account-ID": credentials["account_id"],
        "originator": "codexia",
        "User-Agent": "codexia/0.1",
        "Accept": "text/event-stream",
        "session-id": "s",
    }
    body = {
        "model": "gpt-5.5",
        "instructions": "",
        "input": [{"role": "user", "content": "hello"}],
        "store": False,
        "stream": True,
        **fields,
    }
    url = str(control.base_url).replace("/simulator/", "/backend-api/codex/responses")
    return httpx.post(url, headers=headers, json=body)


def test_stats_tell_what_was_seen(control):
    credentials = control.post("/credentials").json()
    respond(control, credentials)
    respond(control, credentials, temperature=1)
    respond(control, credentials, model="gpt-4")
    stats = control.get("/stats").json()
    assert stats.pop("uploaded_bytes")["http"] > 0
    assert stats == {
        "requests": {"POST /backend-api/codex/responses": 3},
        "responses_started": 1,
        "responses_completed": 1,
        "open_streams": 0,
        "most_streams": 1,
        "disconnects": 0,
        "violations": [
            {"kind": "unsupported_parameter", "detail": "Unsupported parameter: temperature"}
        ],
        "violation_count": 1,
        "rejected": [
            {
                "kind": "model",
                "detail": "The 'gpt-4' model is not supported when using Codex with a ChatGPT "
                "account.",
            }
        ],
        "rejections": 1,
        "refreshes": 0,
        "refresh_token_reuse": 0,
        "events_sent": 10,
        "sockets_opened": 0,
        "incremental_requests": 0,
    }


def test_reset_clears_counters_requests_and_faults(control):
    credentials = control.post("/credentials").json()
    respond(control, credentials)
    control.post("/faults", json={"fault": {"kind": "503"}, "count": 5})
    control.post("/reset")
    assert control.get("/stats").json()["requests"] == {}
    assert control.get("/requests").json() == []
    assert respond(control, credentials).status_code == 200


def test_accepted_requests_are_told_without_the_login(control):
    credentials = control.post("/credentials").json()
    respond(control, credentials, store=True)
    respond(control, credentials, instructions="Be brief.")
    [request] = control.get("/requests").json()
    assert request["body"]["instructions"] == "Be brief."
    assert request["headers"]["originator"] == "codexia"
    assert "authorization" not in request["headers"]


def test_credentials_have_the_asked_lifetime(control):
    short = control.post("/credentials", json={"expires_in_s": 60}).json()
    long = control.post("/credentials", json={"expires_in_s": 6000}).json()
    assert long["expires_at"] - short["expires_at"] in range(5940, 5950)


def test_expire_hits_all_tokens_so_far(control):
    before = control.post("/credentials").json()
    control.post("/expire")
    after = control.post("/credentials").json()
    assert respond(control, before).status_code == 401
    assert respond(control, after).status_code == 200


def test_forgiven_findings_are_counted_and_served(control):
    credentials = control.post("/credentials").json()
    control.post("/forgive", json={"kinds": ["instructions"]})
    assert respond(control, credentials, instructions=None).status_code == 200
    assert respond(control, credentials, store=True).status_code == 400
    control.post("/forgive", json={"kinds": []})
    assert respond(control, credentials, instructions=None).status_code == 400
    assert control.get("/stats").json()["violation_count"] == 3


@pytest.mark.parametrize("fault", [{"kind": "503"}, "503"])
def test_fault_is_queued(control, fault):
    credentials = control.post("/credentials").json()
    assert control.post("/faults", json={"fault": fault, "count": 1}).status_code == 200
    statuses = [respond(control, credentials).status_code for _ in range(2)]
    assert statuses == [503, 200]


def test_oauth_fault_is_queued(control, address):
    control.post("/oauth-faults", json={"fault": {"kind": "500"}})
    statuses = [httpx.post(f"{address}/oauth/token").status_code for _ in range(2)]
    assert statuses == [500, 400]


@pytest.mark.parametrize("path", ["/faults", "/oauth-faults"])
@pytest.mark.parametrize(
    "body",
    [{}, {"fault": 1}, {"fault": {"kind": "explode"}}, {"fault": {"kind": "500"}, "count": 0}],
)
def test_bad_fault_is_a_clear_400(control, path, body):
    answer = control.post(path, json=body)
    assert answer.status_code == 400
    assert "fault" in answer.json()["error"] or "count" in answer.json()["error"]
