"""The control API of a running supervisor, against the simulated authority and backend."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING

import httpx
import orjson
import pytest

from codexia.control import Snapshot
from codexia.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.supervisor.conftest import Running

    Supervise = Callable[..., Running]

KEY = "sk-local-canary"


def flags(simulator: Simulator) -> tuple[str, ...]:
    return (
        "bind_port=0",
        "workers=1",
        f"upstream_base_url={simulator.base_url}",
        f"oauth_issuer={simulator.issuer}",
    )


def log_in(root: Path, simulator: Simulator) -> None:
    root.mkdir(parents=True, exist_ok=True)
    draft = root / "auth.new"
    draft.write_bytes(orjson.dumps(simulator.issue_credentials()))
    draft.chmod(0o600)
    draft.replace(root / "auth.json")


async def test_login_after_the_start_reaches_the_watchers(
    supervise: Supervise, tmp_path: Path
) -> None:
    async with Simulator() as simulator:
        running = await asyncio.to_thread(supervise, *flags(simulator))
        await asyncio.to_thread(running.ready, 1)
        transport = httpx.AsyncHTTPTransport(uds=str(running.home.control_socket))
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://supervisor") as http,
            http.stream("GET", "/watch?generation=0") as reply,
            asyncio.timeout(10),
        ):
            lines = reply.aiter_lines()
            first = Snapshot.model_validate_json(await anext(lines))
            assert (first.login, first.login_hint) == (None, "not logged in; run `codexia login`")
            log_in(running.home.root, simulator)
            second = Snapshot.model_validate_json(await anext(lines))
            assert second.login
            assert second.revision > first.revision
            # The account's catalogue follows the login.
            third = Snapshot.model_validate_json(await anext(lines))
            assert set(third.models.ids) != set(first.models.ids)
            assert {model.id for model in third.models.known if model.listed} == set(
                third.models.ids
            )
        assert simulator.stats.violation_count == 0


async def test_fifty_refresh_calls_for_one_rejected_revision_are_one_refresh(
    supervise: Supervise, tmp_path: Path
) -> None:
    async with Simulator() as simulator:
        log_in(tmp_path / "codexia", simulator)
        running = await asyncio.to_thread(supervise, *flags(simulator))
        await asyncio.to_thread(running.ready, 1)
        rejected = (await asyncio.to_thread(running.snapshot)).login
        assert rejected
        transport = httpx.AsyncHTTPTransport(uds=str(running.home.control_socket))
        async with httpx.AsyncClient(transport=transport, base_url="http://supervisor") as http:
            body = orjson.dumps({"rejected_revision": rejected.revision})
            async with asyncio.TaskGroup() as group:
                calls = [group.create_task(http.post("/refresh", content=body)) for _ in range(50)]
        answers = {call.result().status_code: call.result().content for call in calls}
        assert list(answers) == [200]
        login = Snapshot.model_validate_json(answers[200]).login
        assert login
        assert login.revision > rejected.revision
        assert login.access_token != rejected.access_token
        assert (simulator.stats.refreshes, simulator.stats.refresh_token_reuse) == (1, 0)
        status = await asyncio.to_thread(running.status)
        assert status
        assert status.counters["/refresh"] == 50


async def test_refresh_that_fails_is_an_error_object(supervise: Supervise, tmp_path: Path) -> None:
    async with Simulator() as simulator:
        log_in(tmp_path / "codexia", simulator)
        running = await asyncio.to_thread(supervise, *flags(simulator))
        await asyncio.to_thread(running.ready, 1)
        simulator.add_oauth_fault({"kind": "refresh_token_reused"})
        reply = await asyncio.to_thread(running.call, "POST", "/refresh")
        assert reply.status_code == 401
        assert "run `codexia login`" in reply.json()["error"]["message"]


def test_keys_leave_the_supervisor_as_digests(supervise: Supervise) -> None:
    running = supervise("bind_port=0", f"api_key={KEY}")
    running.ready(1)
    snapshot = running.snapshot()
    assert [(key.name, key.sha256) for key in snapshot.keys] == [
        ("default", sha256(KEY.encode()).hexdigest())
    ]
    assert KEY not in snapshot.model_dump_json() + running.log()


def test_wrong_file_keeps_the_last_good_settings_and_is_a_problem(supervise: Supervise) -> None:
    running = supervise("bind_port=0")
    running.configure(ping_interval_s=3)
    running.ready()
    running.home.config_file.write_text("{")
    running.when(lambda status: "not valid JSON" in "".join(status.problems), "a problem")
    assert running.snapshot().ping_interval_s == 3
    running.configure(ping_interval_s=4)
    running.when(lambda status: not status.problems, "no problem")
    assert running.snapshot().ping_interval_s == 4


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/refresh", {"rejected_revision": "x"}, 400),
        ("POST", "/refresh", {"filler": "x" * 100_000}, 413),
        ("GET", "/refresh", None, 404),
        ("GET", "/nothing", None, 404),
    ],
)
def test_calls_that_are_none(
    supervise: Supervise, method: str, path: str, body: object, status: int
) -> None:
    running = supervise("bind_port=0")
    running.ready(1)
    reply = running.call(method, path, body)
    assert reply.status_code == status
    assert reply.json()["error"]["message"]
