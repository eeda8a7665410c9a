"""Two gateways and six other refreshers on one auth.json: no refresh token is sent twice.

60 rotations; CODEXIA_TEST_ROTATIONS says how many else.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from codexia.oauth.credentials import read_credentials
from tests.cli.command import codexia
from tests.e2e.processes import log_in, running_gateway, wait_until
from tests.e2e.streams import PATHS, body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.processes import Gateway, Simulator

HAMMER = Path(__file__).with_name("hammer.py")
ROTATIONS = int(os.environ.get("CODEXIA_TEST_ROTATIONS", "60"))
HAMMERS = 4
COMMANDS = 2
LIFETIME_S = 4


@pytest.fixture
def short_lives(simulator: Simulator) -> Iterator[None]:
    """Tokens that a gateway has to refresh every other second."""
    simulator.http.post("/simulator/authority", json={"token_lifetime_s": LIFETIME_S})
    yield
    simulator.http.post("/simulator/authority", json={"token_lifetime_s": 864_000})


def commands(
    auth_file: Path, home: Path, simulator: Simulator, stop: Path, failed: list[str]
) -> Callable[[], None]:
    """Return what runs `codexia refresh` again and again."""

    def run() -> None:
        while not stop.exists():
            done = codexia(
                "refresh",
                "--auth-file",
                str(auth_file),
                CODEXIA_HOME=str(home),
                CODEXIA_OAUTH_ISSUER=simulator.url,
            )
            if done.returncode:
                failed.append(done.stderr)

    return run


def answers(gateway: Gateway) -> bool:
    reply = httpx.post(gateway.url + PATHS["chat"], json=body("chat", "hi"), trust_env=False)
    return reply.status_code == 200


@pytest.mark.timeout(120 + ROTATIONS)
def test_eight_refreshers_of_one_login_never_send_a_token_twice(
    simulator: Simulator, short_lives: None, tmp_path: Path
):
    shared, stop = tmp_path / "shared", tmp_path / "stop"
    log_in(shared, simulator, expires_in_s=LIFETIME_S)
    auth_file = shared / "auth.json"
    flags = ("--workers", "1", "--auth-file", str(auth_file))
    failed: list[str] = []
    with ExitStack() as stack:
        gateways = [
            stack.enter_context(running_gateway(tmp_path / name, simulator, *flags))
            for name in ("one", "other")
        ]
        began = time.monotonic()
        hammers = [
            subprocess.Popen(
                [sys.executable, str(HAMMER), str(auth_file), simulator.url, str(stop)],
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(HAMMERS)
        ]
        threads = [
            threading.Thread(
                target=commands(auth_file, tmp_path / f"cli{n}", simulator, stop, failed)
            )
            for n in range(COMMANDS)
        ]
        for thread in threads:
            thread.start()
        try:
            wait_until(
                lambda: simulator.stats["refreshes"] >= ROTATIONS,
                "enough rotations",
                deadline_s=60 + ROTATIONS,
            )
            assert all(answers(gateway) for gateway in gateways)
        finally:
            stop.touch()
            for thread in threads:
                thread.join()
            errors = [hammer.communicate(timeout=60)[1] for hammer in hammers]
        took_s = time.monotonic() - began
        assert errors == [""] * HAMMERS
        assert failed == []
        wait_until(
            lambda: all(gateway.status()["problems"] == [] for gateway in gateways), "no problems"
        )
        assert all(answers(gateway) for gateway in gateways)
    stats = simulator.stats
    sys.stderr.write(
        f"{stats['refreshes']} rotations in {took_s:.0f} s, "
        f"{stats['requests']['POST /oauth/token']} token requests, "
        f"{stats['refresh_token_reuse']} reused\n"
    )
    assert stats["refresh_token_reuse"] == 0
    assert stats["refreshes"] == stats["requests"]["POST /oauth/token"], "each token was good"
    assert read_credentials(auth_file)
