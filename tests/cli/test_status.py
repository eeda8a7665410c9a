"""`codexia status` and `codexia models`, with a gateway and without."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import orjson
import pytest

from codexia import __version__
from codexia.models import BUILT_IN
from tests.cli.command import codexia
from tests.e2e.processes import Gateway, log_in, running_gateway, wait_until, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.processes import Simulator

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def gateway(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("gateway")
    log_in(home, simulator)
    with running_gateway(home, simulator, "--workers", "2") as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def as_at_the_start(simulator: Simulator) -> None:
    simulator.http.post("/simulator/reset").raise_for_status()


def backend(simulator: Simulator) -> dict[str, str]:
    return {"CODEXIA_UPSTREAM_BASE_URL": f"{simulator.url}/backend-api"}


def lines_of(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


def on_a_terminal(home: Path, **environment: str) -> str:
    """Return what the command writes to a terminal."""
    ours, theirs = pty.openpty()
    command = subprocess.Popen(
        [sys.executable, "-m", "codexia", "status"],
        env={**os.environ, "CODEXIA_HOME": str(home), "TERM": "xterm-256color", **environment},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = bytearray()
    try:
        while chunk := os.read(ours, 65536):
            written += chunk
    except OSError:  # the other end of a terminal closed
        pass
    finally:
        os.close(ours)
    assert command.wait(20) == 0, written
    return written.decode()


def test_status_without_a_login_says_what_to_do(tmp_path: Path):
    done = codexia("status", CODEXIA_HOME=str(tmp_path))
    assert (done.returncode, done.stderr) == (1, "")
    assert lines_of(done) == {
        "gateway": "not running; start it with `codexia serve`",
        "login": "not logged in; run `codexia login`",
    }
    as_json = codexia("status", "--json", CODEXIA_HOME=str(tmp_path))
    assert as_json.returncode == 1
    report = orjson.loads(as_json.stdout)
    assert (report["account_id"], report["token"], report["gateway"]) == (None, None, None)
    assert report["warnings"] == ["not logged in; run `codexia login`"]


def test_status_without_a_gateway_asks_the_backend_itself(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    done = codexia("status", CODEXIA_HOME=str(tmp_path), **backend(simulator))
    assert (done.returncode, done.stderr) == (0, "")
    told = lines_of(done)
    assert told["gateway"] == "not running; start it with `codexia serve`"
    assert re.fullmatch(rf"expires {TIME} \(in 9d 23h\)", told["token"])
    assert told["plan"] == "chatgptpro (active: true)"
    assert re.fullmatch(rf"69% remaining, resets {TIME} \(in 1h 59m\)", told["rate_limit_5h"])
    assert told["rate_limit_weekly"].startswith("88% remaining, resets ")
    assert "warning" not in told


def test_status_without_gateway_and_backend_is_made_of_warnings(
    simulator: Simulator, tmp_path: Path
):
    log_in(tmp_path, simulator)
    simulator.http.post(
        "/simulator/plan", json={"fail": {"usage": 500, "account": 500, "accounts": 500}}
    ).raise_for_status()
    done = codexia("status", CODEXIA_HOME=str(tmp_path), **backend(simulator))
    assert (done.returncode, done.stderr) == (0, "")
    warnings = [line for line in done.stdout.splitlines() if line.startswith("warning: ")]
    assert warnings == [
        "warning: account status unavailable: the backend answered 500",
        "warning: rate limits unavailable: the backend answered 500",
    ]
    told = lines_of(done)
    assert (told["rate_limits"], told["email"]) == ("unavailable", "simulated@example.com")


def test_status_of_a_login_that_the_backend_refuses(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    simulator.expire_tokens()
    done = codexia("status", CODEXIA_HOME=str(tmp_path), **backend(simulator))
    assert done.returncode == 1
    assert "`codexia refresh`" in lines_of(done)["login"]


def test_status_tells_what_runs(gateway: Gateway):
    done = codexia("status", CODEXIA_HOME=str(gateway.home))
    assert (done.returncode, done.stderr) == (0, "")
    told = lines_of(done)
    process = f"codexia {__version__}, pid {gateway.popen.pid}, up "
    assert told["gateway"].startswith(f"{gateway.url} ({process}")
    assert told["workers"].startswith("2 ready (generation 1, pid ")
    assert told["email"] == "simulated@example.com"
    assert told["credits_balance"] == "0"
    assert told["requests"].endswith("0 streams open")
    assert "\x1b" not in done.stdout


def test_status_as_json_is_that_of_the_endpoint(gateway: Gateway):
    done = codexia("status", "--json", CODEXIA_HOME=str(gateway.home))
    assert done.returncode == 0
    printed = orjson.loads(done.stdout)
    served = httpx.get(f"{gateway.url}/v1/status", timeout=20, trust_env=False).json()
    assert printed.keys() == served.keys()
    assert printed["account"].keys() == served["account"].keys()
    assert printed["gateway"]["version"] == __version__
    assert printed["gateway"]["pid"] == gateway.popen.pid
    assert printed["logged_in"] is True
    assert [each["name"] for each in printed["rate_limits"]] == ["5h", "weekly"]


def test_status_on_a_terminal_has_bars_and_colours(gateway: Gateway):
    screen = on_a_terminal(gateway.home, LANG="C.UTF-8", PYTHONUTF8="1")
    assert COLOUR.search(screen)
    plain = COLOUR.sub("", screen)
    assert re.search(r"5h +█+░+ +69% left +resets in 1h \d\dm \(\d\d-\d\d \d\d:\d\d\)", plain)
    assert gateway.url in plain
    assert max(len(line) for line in plain.splitlines()) <= 80


def test_status_on_a_terminal_without_colours(gateway: Gateway):
    screen = on_a_terminal(gateway.home, NO_COLOR="1", LANG="C.UTF-8", PYTHONUTF8="1")
    assert "\x1b" not in screen
    assert "69% left" in screen


def test_status_shows_a_broken_config_as_a_problem(gateway: Gateway):
    (gateway.home / "config.json").write_text("{")
    wait_until(lambda: gateway.status()["problems"], "the broken file is noticed")
    done = codexia("status", CODEXIA_HOME=str(gateway.home))
    assert done.returncode == 0
    assert "config.json" in lines_of(done)["problem"]
    write_config(gateway.home)
    wait_until(lambda: not gateway.status()["problems"], "the repaired file is noticed")


def test_setting_that_the_gateway_does_not_take_is_told(gateway: Gateway, simulator: Simulator):
    write_config(gateway.home, workers=9)
    wait_until(lambda: gateway.status()["config_warnings"], "the edit is noticed")
    expected = f"{gateway.home}/config.json: workers has no effect, the command line pins it"
    environment = {"CODEXIA_HOME": str(gateway.home), "CODEXIA_OAUTH_ISSUER": simulator.url}
    assert lines_of(codexia("status", **environment))["warning"] == expected
    examined = codexia("doctor", **environment, **backend(simulator))
    assert f"! settings      {expected}\n" in examined.stdout
    write_config(gateway.home)
    wait_until(lambda: not gateway.status()["config_warnings"], "it is as before")


def test_models_of_a_running_gateway(gateway: Gateway, simulator: Simulator):
    write_config(gateway.home, models=["gpt-5.5", "one-of-mine"])
    wait_until(lambda: "one-of-mine" in gateway.status()["models"], "the edit is in force")
    done = codexia("models", CODEXIA_HOME=str(gateway.home))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["gpt-5.5", "one-of-mine"]
    as_json = codexia("models", "--json", CODEXIA_HOME=str(gateway.home))
    assert orjson.loads(as_json.stdout) == {
        "source": "gateway",
        "models": ["gpt-5.5", "one-of-mine"],
    }


def test_models_without_a_gateway_are_the_built_in_ones(tmp_path: Path):
    done = codexia("models", CODEXIA_HOME=str(tmp_path))
    assert done.returncode == 0
    assert done.stdout.split() == list(BUILT_IN)
    assert "codexia serve" in done.stderr
    as_json = codexia("models", "--json", CODEXIA_HOME=str(tmp_path))
    assert orjson.loads(as_json.stdout) == {"source": "built-in", "models": list(BUILT_IN)}
