"""A home that is full, read-only or spoilt: said clearly, and what needs no disk goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.processes import Gateway, log_in, running_gateway, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.processes import Simulator

PATHS = ["/v1/chat/completions", "/v1/responses", "/v1/messages"]


@contextmanager
def mounted(home: Path, options: str) -> Iterator[None]:
    """Give the home a small file system of its own."""
    home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(home)]
    if os.getuid() or not shutil.which("mount"):
        pytest.skip("only root can mount a small file system")
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(home)], check=True)


def fill(home: Path) -> None:
    with (home / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            return


def ask(gateway: Gateway, path: str) -> httpx.Response:
    said = "SAY[[hi]]"
    body = {
        "model": "gpt-5.5",
        "max_tokens": 9,
        "input": said,
        "messages": [{"role": "user", "content": said}],
    }
    return httpx.post(gateway.url + path, json=body, timeout=20)


def test_full_disk_ends_no_service(simulator: Simulator, tmp_path: Path):
    home = tmp_path / "home"
    with mounted(home, "size=8m,mode=700"):
        log_in(home, simulator)
        with running_gateway(home, simulator, "--workers", "1") as gateway:
            assert ask(gateway, "/v1/responses").is_success
            fill(home)
            for path in PATHS:
                assert ask(gateway, path).is_success, path
            line = '{"custom_id":"1","params":{"model":"m","max_tokens":9,"messages":[]}}'
            refused = httpx.post(
                f"{gateway.url}/v1/messages/batches",
                content=f'{{"requests":[{line}],"x":"{"x" * 100_000}"}}',
                headers={"content-type": "application/json"},
                timeout=20,
            )
            assert refused.status_code >= 500
            assert "make room" in refused.json()["error"]["message"].lower()
            (home / "filler").unlink()
            assert ask(gateway, "/v1/responses").is_success
            assert [each for each in gateway.lines if "Traceback" in each] == []


def test_read_only_home_is_said_at_the_start(simulator: Simulator, tmp_path: Path):
    home = tmp_path / "home"
    with mounted(home, "size=1m,mode=700"):
        log_in(home, simulator)
        subprocess.run(["mount", "-o", "remount,ro", str(home)], check=True)
        with pytest.raises(AssertionError, match="Read-only file system") as failed:
            Gateway(home, simulator)
        assert "Traceback" not in str(failed.value)


def test_files_spoilt_while_it_runs_change_nothing(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    with running_gateway(tmp_path, simulator, "--workers", "1") as gateway:
        for name in ("auth.json", "config.json"):
            (tmp_path / name).write_bytes(b"\xff\x00{")
        wait_until(lambda: gateway.status()["config_problem"], "the spoilt settings are noticed")
        for path in PATHS:
            assert ask(gateway, path).is_success, path
        assert "not valid JSON" in gateway.status()["config_problem"]
