"""Starting, stopping and editing a running gateway."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from codexia_supervisor.ending import STOP_GRACE_S
from tests.e2e.processes import (
    Process,
    log_in,
    running_gateway,
    wait_until,
    write_config,
)
from tests.e2e.streams import PATHS, body, paced, receive, session

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.processes import Gateway, Simulator


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_idle_gateway_waits_for_nobody_at_its_end(simulator: Simulator, tmp_path: Path, sig: int):
    log_in(tmp_path, simulator)
    with (
        running_gateway(tmp_path, simulator, "--workers", "2") as gateway,
        httpx.Client() as client,
    ):
        client.get(f"{gateway.url}/health")  # a kept-alive connection is idle too
        started = time.monotonic()
        assert gateway.stop(sig) == 0
        assert time.monotonic() - started < STOP_GRACE_S / 2
    assert not list((tmp_path / "run").glob("*.sock"))


async def test_open_stream_is_finished_before_the_end(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    prompt, expected = paced(deltas=100, gap_ms=20)
    with running_gateway(tmp_path, simulator, "--workers", "2") as gateway:
        async with session() as http, asyncio.TaskGroup() as group:
            running = group.create_task(receive(http, gateway.url, "messages", prompt))
            await asyncio.to_thread(
                wait_until, lambda: simulator.stats["open_streams"] == 1, "the stream has begun"
            )
            code = await asyncio.to_thread(gateway.stop, signal.SIGINT)
    assert code == 0
    assert running.result().whole
    assert running.result().text == expected


def test_second_gateway_of_one_home_is_refused(gateway: Gateway):
    second = Process(
        [sys.executable, "-m", "codexia", "serve", "--bind", "127.0.0.1:0"],
        {**os.environ, "CODEXIA_HOME": str(gateway.home)},
    )
    second.line_with(str(gateway.popen.pid))
    assert second.popen.wait(10) == 1


def test_taken_port_is_named_with_the_next_step(gateway: Gateway, tmp_path: Path):
    bind = gateway.url.removeprefix("http://")
    second = Process(
        [sys.executable, "-m", "codexia", "serve", "--bind", bind],
        {**os.environ, "CODEXIA_HOME": str(tmp_path / "other")},
    )
    assert "--bind" in second.line_with(bind)
    assert second.popen.wait(10) == 1


def test_broken_config_is_refused_at_start(tmp_path: Path):
    write_config(tmp_path, bind_port="many")
    process = Process(
        [sys.executable, "-m", "codexia", "serve"], {**os.environ, "CODEXIA_HOME": str(tmp_path)}
    )
    process.line_with("bind_port")
    assert process.popen.wait(10) == os.EX_CONFIG


def models(gateway: Gateway) -> list[str]:
    reply = httpx.get(f"{gateway.url}/v1/models")
    return [model["id"] for model in reply.json()["data"]] if reply.status_code == 200 else []


def test_edit_is_live_and_a_broken_one_changes_nothing(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    with running_gateway(tmp_path, simulator, "--workers", "2") as gateway:
        pids = gateway.worker_pids()
        write_config(tmp_path, models=["gpt-5.5", "my-model"], api_key=None)
        wait_until(lambda: models(gateway) == ["gpt-5.5", "my-model"], "the edit is in force", 2)
        (tmp_path / "config.json").write_text("{")
        wait_until(lambda: gateway.status()["problems"], "the broken file is reported", 2)
        assert models(gateway) == ["gpt-5.5", "my-model"]
        write_config(tmp_path, models=["gpt-5.5"], api_key="secret")
        wait_until(
            lambda: httpx.get(f"{gateway.url}/v1/models").status_code == 401,
            "the key is in force",
            2,
        )
        assert not gateway.status()["problems"]
        assert gateway.worker_pids() == pids


async def test_more_workers_come_as_a_generation_beside_the_old_one(
    simulator: Simulator, tmp_path: Path
):
    log_in(tmp_path, simulator)
    prompt, expected = paced(deltas=100, gap_ms=20)
    write_config(tmp_path, workers=1)
    with running_gateway(tmp_path, simulator) as gateway:
        old = gateway.generation_pid()
        async with session() as http, asyncio.TaskGroup() as group:
            running = group.create_task(receive(http, gateway.url, "messages", prompt))
            await asyncio.to_thread(
                wait_until, lambda: simulator.stats["open_streams"] == 1, "the stream has begun"
            )
            write_config(tmp_path, workers=2)
            await asyncio.to_thread(
                wait_until, lambda: gateway.generation_pid() != old, "a new generation"
            )
            during = [await receive(http, gateway.url, "chat", "SAY[[hi]]") for _ in range(30)]
        assert running.result().whole
        assert running.result().text == expected
        assert [each for each in during if not each.whole] == []
        await asyncio.to_thread(
            wait_until, lambda: len(gateway.status()["generations"]) == 1, "the old one has ended"
        )
        assert len(gateway.worker_pids()) == 2


def test_hot_path_makes_no_control_call(gateway: Gateway, simulator: Simulator):
    before = gateway.status()["counters"]
    for dialect, path in PATHS.items():
        assert httpx.post(gateway.url + path, json=body(dialect, "SAY[[hi]]")).status_code == 200
    after = gateway.status()["counters"]
    changed = {name for name in after if after[name] != before.get(name)}
    # What a worker tells now and then, after the last byte, is told once a second at most.
    assert changed <= {"/status", "/observed", "/demand"}


def test_backend_on_loopback_is_reached_whatever_proxy_is_set(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    dead = "http://127.0.0.1:9"
    with running_gateway(tmp_path, simulator, HTTP_PROXY=dead, ALL_PROXY=dead) as gateway:
        reply = httpx.post(
            gateway.url + PATHS["chat"], json=body("chat", "SAY[[direct]]", stream=False)
        )
        assert "direct" in reply.text
        wait_until(lambda: "gpt-6-sol" in models(gateway), "the catalogue is known")
