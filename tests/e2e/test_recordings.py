"""Exchanges are recorded without secrets, and can be played again."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
import zstandard

from codexia.recordings.folder import Folder
from tests.cli.command import codexia
from tests.e2e.processes import (
    ForgetfulGateway,
    Gateway,
    log_in,
    running_gateway,
    wait_until,
    write_config,
)
from tests.e2e.sockets import connected
from tests.e2e.streams import DIALECTS, PATHS, body

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codexia.recordings.recording import Recording
    from tests.e2e.processes import Simulator

KEY = "local-key-canary-4f1c9a"
NAMED_KEY = "named-key-canary-77d20e"
COOKIE = "cookie-canary-1b5ce7"
EMAIL = "email.canary@mail.example.org"
PROMPT = "prompt-canary-e60c42"
HEADERS = {"x-api-key": KEY, "cookie": f"session={COOKIE}", "x-secret": COOKIE}


@dataclass
class Recorded:
    """A gateway that recorded, and what it kept.

    Attributes:
        by_id: what was recorded, by the id that the client read.
        secrets: all that may be in no file, by name.
    """

    home: Path
    gateway: Gateway
    by_id: dict[str, Recording]
    ids: dict[str, str]
    secrets: dict[str, str]


def asked(gateway: Gateway, path: str, **request: Any) -> str:
    """Return the id of a request."""
    reply = httpx.post(gateway.url + path, trust_env=False, timeout=20, **request)
    return reply.headers["x-request-id"]


def traffic(gateway: Gateway, simulator: Simulator, secrets: dict[str, str]) -> dict[str, str]:
    """Return the ids of exchanges of every kind, each with all secrets in its prompt."""
    ids: dict[str, str] = {}
    prompt = f"{PROMPT} " + "\n".join(secrets.values())
    for dialect in DIALECTS:
        for stream in (True, False):
            request = body(dialect, f"{prompt} SAY[[{PROMPT}]]", stream=stream)
            name = f"{dialect} {'streamed' if stream else 'whole'}"
            ids[name] = asked(gateway, PATHS[dialect], json=request, headers=HEADERS)
    compressed = zstandard.compress(orjson.dumps(body("responses", prompt)))
    encoded = {**HEADERS, "content-encoding": "zstd", "content-type": "application/json"}
    ids["compressed"] = asked(gateway, PATHS["responses"], content=compressed, headers=encoded)
    simulator.fault(kind="cut", after=8)
    request = body("messages", f"{prompt} STREAM[[deltas=20]]")
    ids["broken off"] = asked(gateway, PATHS["messages"], json=request, headers=HEADERS)
    simulator.fault(kind="503")
    request = body("chat", f"{prompt} SAY[[{PROMPT}]]", stream=False)
    ids["repeated"] = asked(gateway, PATHS["chat"], json=request, headers=HEADERS)
    ids["refused"] = asked(gateway, PATHS["chat"], json={"messages": prompt}, headers=HEADERS)
    bearer = {"authorization": f"Bearer {NAMED_KEY}"}
    ids["bearer"] = asked(gateway, PATHS["chat"], json=body("chat", prompt), headers=bearer)
    asyncio.run(websocket_turn(gateway, f"{prompt} SAY[[{PROMPT}]]"))
    return ids


async def websocket_turn(gateway: Gateway, prompt: str) -> None:
    async with connected(gateway.url, authorization=f"Bearer {NAMED_KEY}") as socket:
        await socket.turn(input=prompt, store=False)


@pytest.fixture(scope="module")
def recorded(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    home = tmp_path_factory.mktemp("recordings")
    log_in(home, simulator)
    login = orjson.loads((home / "auth.json").read_bytes())
    secrets = {"key": KEY, "named key": NAMED_KEY, "cookie": f"Bearer {COOKIE}", "email": EMAIL}
    secrets |= {name: login[name] for name in ("access_token", "refresh_token", "account_id")}
    write_config(home, api_keys=[{"name": "laptop", "key": NAMED_KEY}], record="all")
    serving = running_gateway(
        *(home, simulator, "--workers", "1"),
        kind=ForgetfulGateway,
        CODEXIA_API_KEY=KEY,
        CODEXIA_UPSTREAM_TRANSPORT="http",
    )
    with serving as gateway:
        asked(gateway, PATHS["chat"], json=body("chat", PROMPT), headers={"x-api-key": "wrong"})
        ids = traffic(gateway, simulator, secrets)
        folder = Folder(home / "recordings")
        wait_until(lambda: len(folder.sizes()) == len(ids) + 1, "all is recorded")
        by_id = {each.id: each for _, each in folder.recordings()}
        yield Recorded(home, gateway, by_id, ids, {**secrets, "cookie": COOKIE})


def test_both_sides_are_recorded(recorded: Recorded):
    for name in ("chat streamed", "messages whole", "responses streamed", "compressed"):
        recording = recorded.by_id[recorded.ids[name]]
        assert PROMPT in recording.request.body
        [call] = recording.upstream
        assert PROMPT in call.request.body
        assert call.request.path == "/backend-api/codex/responses"
        assert "event: response.completed" in call.reply.body
        assert sum(size for _, size in call.reply.parts) == len(call.reply.body.encode())
        assert sum(size for _, size in recording.reply.parts) == len(recording.reply.body.encode())
        assert (call.reply.status, call.reply.end) == (200, "ended")
        assert (recording.reply.status, recording.reply.end) == (200, "ended")


def test_faults_and_retries_are_recorded(recorded: Recorded):
    broken = recorded.by_id[recorded.ids["broken off"]]
    assert broken.outcome == "broke off"
    assert [call.reply.end for call in broken.upstream] == ["broken"]
    repeated = recorded.by_id[recorded.ids["repeated"]]
    assert [call.reply.status for call in repeated.upstream] == [503, 200]
    refused = recorded.by_id[recorded.ids["refused"]]
    assert (refused.reply.status, refused.upstream) == (400, ())


def test_turn_of_a_websocket_is_recorded(recorded: Recorded):
    [turn] = [each for each in recorded.by_id.values() if each.transport == "websocket"]
    assert turn.key == "laptop"
    assert PROMPT in turn.request.body
    assert '"type":"response.completed"' in turn.reply.body


def test_who_has_no_key_is_not_recorded(recorded: Recorded):
    assert all(recording.key for recording in recorded.by_id.values())


@pytest.mark.parametrize(
    "name", ["key", "named key", "cookie", "email", "access_token", "refresh_token", "account_id"]
)
def test_no_secret_is_in_any_recording(recorded: Recorded, name: str):
    files = [path.read_text() for path in (recorded.home / "recordings").iterdir()]
    assert [PROMPT in file for file in files] == [True] * len(files)
    assert [recorded.secrets[name] in file for file in files] == [False] * len(files)
    # Nor a piece that would do.
    piece = recorded.secrets[name][-12:]
    assert [piece in file for file in files] == [False] * len(files)


@pytest.fixture(scope="module")
def replayed(recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Replays, side by side since each takes a gateway of its own."""
    ids = recorded.ids
    [turn] = [each.id for each in recorded.by_id.values() if each.transport == "websocket"]
    changed = tmp_path_factory.mktemp("changed") / "changed.json"
    recording = recorded.by_id[ids["repeated"]]
    reply = recording.reply.model_copy(
        update={"body": recording.reply.body.replace(PROMPT, "something else")}
    )
    changed.write_text(recording.model_copy(update={"reply": reply}).model_dump_json())
    bare = changed.with_name("bare.json")
    exported = codexia(
        *("recordings", "export", turn, str(bare), "--without-content"),
        CODEXIA_HOME=str(recorded.home),
    )
    assert exported.returncode == 0, exported
    assert PROMPT not in bare.read_text()
    wanted = {
        "broken off": ids["broken off"],
        "turn without content": str(bare),
        "changed": str(changed),
    }
    with ThreadPoolExecutor(2) as pool:
        done = pool.map(
            lambda each: codexia(
                "recordings", "replay", each, "--json", CODEXIA_HOME=str(recorded.home)
            ),
            wanted.values(),
        )
        return dict(zip(wanted, done, strict=True))


@pytest.mark.parametrize("name", ["broken off", "turn without content"])
def test_replay_gives_the_client_the_same(replayed: dict[str, Any], name: str):
    done = replayed[name]
    assert orjson.loads(done.stdout)["same"] is True, done
    assert done.returncode == 0


def test_replay_tells_the_first_difference(replayed: dict[str, Any]):
    done = replayed["changed"]
    assert done.returncode == 1
    told = orjson.loads(done.stdout)
    assert told["difference"]["where"] == "body"
    assert "something else" in told["difference"]["recorded"]
    assert PROMPT in told["difference"]["replayed"]


def test_command_line_lists_and_shows(recorded: Recorded):
    home = str(recorded.home)
    listed = codexia("recordings", "list", CODEXIA_HOME=home).stdout
    assert all(request_id in listed for request_id in recorded.ids.values())
    request_id = recorded.ids["messages whole"]
    shown = codexia("recordings", "show", request_id[:20], CODEXIA_HOME=home).stdout
    assert f"id        {request_id}" in shown
    assert "== backend 1: POST /backend-api/codex/responses" in shown
    unknown = codexia("recordings", "show", "req_none", CODEXIA_HOME=home)
    assert (unknown.returncode, "no recording of req_none" in unknown.stderr) == (1, True)


def test_command_line_clears(tmp_path: Path):
    directory = tmp_path / "recordings"
    directory.mkdir()
    (directory / f"20261123T000000.000Z-req_{0:024}.json").write_text("{}")
    done = codexia("recordings", "clear", "--yes", CODEXIA_HOME=str(tmp_path))
    assert done.stdout == "1 removed\n"
    assert list(directory.iterdir()) == []


def test_recordings_that_cannot_be_kept_cost_no_request(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    directory = tmp_path / "recordings"
    directory.write_text("in the way")
    settings = {"CODEXIA_RECORD": "all", "CODEXIA_UPSTREAM_TRANSPORT": "websocket"}
    with running_gateway(tmp_path, simulator, "--workers", "1", **settings) as gateway:
        request = body("chat", "SAY[[hi]]", stream=False)
        reply = httpx.post(gateway.url + PATHS["chat"], json=request, trust_env=False)
        assert reply.status_code == 200
        dropped = 'codexia_recordings_total{outcome="dropped"} 1.0'
        wait_until(lambda: dropped in httpx.get(f"{gateway.url}/metrics").text, "it is counted")
        directory.unlink()
        asked(gateway, PATHS["chat"], json=request)
        [(_, recording)] = wait_until(Folder(directory).recordings, "it can be kept again")
    [call] = recording.upstream
    assert call.transport == "websocket"
    assert '"type":"response.create"' in call.request.body
    assert "event: response.completed" in call.reply.body
