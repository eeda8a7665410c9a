"""Nobody but this host reaches a gateway without a key: not at the start, not by an edit."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.live_gateway import LiveGateway, live_gateway
from tests.e2e.processes import Process, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.processes import Simulator

OPEN_HOSTS = ["0.0.0.0", "::", "192.0.2.1", "gateway.example"]


def listens_openly(port: int) -> bool:
    """Whether somebody holds the port at another address than loopback's."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.9", port))
        except OSError:
            return True
    return False


@pytest.mark.parametrize("host", OPEN_HOSTS)
@pytest.mark.parametrize("by", ["flag", "file", "variable"])
def test_open_bind_without_a_key_is_refused_at_the_start(tmp_path: Path, host: str, by: str):
    flags, environment = ["--bind", "127.0.0.1:0"], {}
    if by == "flag":
        flags = ["--bind", f"[{host}]:0" if ":" in host else f"{host}:0"]
    elif by == "file":
        flags = []
        write_config(tmp_path, bind_host=host, bind_port=0)
    else:
        flags = []
        environment = {"CODEXIA_BIND_HOST": host, "CODEXIA_BIND_PORT": "0"}
    process = Process(
        [sys.executable, "-m", "codexia", "serve", *flags],
        {**os.environ, "CODEXIA_HOME": str(tmp_path), **environment},
    )
    process.line_with("set an api_key first")
    assert process.popen.wait(10) == os.EX_CONFIG


@pytest.fixture(scope="module")
def live(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    with live_gateway(tmp_path_factory.mktemp("open"), simulator, workers=1) as gateway:
        yield gateway


def test_edit_that_would_open_it_without_a_key_changes_nothing(live: LiveGateway):
    url = live.url
    live.save(bind_host="0.0.0.0")
    problem = live.in_force(lambda: live.status().config_problem, "the edit is refused")
    assert "set an api_key first" in problem
    assert live.url == url
    assert live.ask().is_success
    assert not listens_openly(int(url.rpartition(":")[2]))


def models_status(live: LiveGateway) -> int:
    port = live.url.rpartition(":")[2]
    return httpx.get(f"http://127.0.0.1:{port}/v1/models", trust_env=False).status_code


def test_key_is_not_taken_away_from_an_open_one(live: LiveGateway):
    live.save(bind_host="0.0.0.0", api_key="secret")
    live.served_as(lambda: live.url.startswith("http://0.0.0.0:"))
    assert models_status(live) == 401
    live.save(bind_host="0.0.0.0")
    problem = live.in_force(lambda: live.status().config_problem, "the edit is refused")
    assert "set an api_key first" in problem
    assert models_status(live) == 401
    live.save()
    live.served_as(lambda: live.url.startswith("http://127.0.0.1:"))
