"""`codexia status` and `codexia models`, with a gateway and without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from codexia import __version__
from codexia.models import BUILT_IN
from tests.cli.command import assert_one_line_error, codexia
from tests.e2e.processes import Gateway, log_in, running_gateway, wait_until, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.processes import Simulator


@pytest.fixture(scope="module")
def gateway(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("gateway")
    log_in(home, simulator)
    with running_gateway(home, simulator, "--workers", "2") as gateway:
        yield gateway


def test_status_without_a_gateway_says_how_to_start_one(tmp_path: Path):
    for flags in ([], ["--json"]):
        done = codexia("status", *flags, CODEXIA_HOME=str(tmp_path))
        assert_one_line_error(done, "codexia serve")
        assert done.stdout == ""


def test_status_tells_what_runs(gateway: Gateway):
    done = codexia("status", CODEXIA_HOME=str(gateway.home))
    assert done.returncode == 0, done
    assert done.stderr == ""
    told = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert [label for label, _ in told] == ["codexia", "address", "login", "workers"]
    texts = dict(told)
    assert texts["codexia"].startswith(f"{__version__} (pid {gateway.popen.pid}, up ")
    assert texts["address"] == gateway.url
    assert texts["login"].startswith("logged in, token expires in 9d 23h ")
    assert texts["workers"].startswith("2 ")


def test_status_as_json(gateway: Gateway):
    done = codexia("status", "--json", CODEXIA_HOME=str(gateway.home))
    assert done.returncode == 0
    report = orjson.loads(done.stdout)
    assert report["version"] == __version__
    assert report["pid"] == gateway.popen.pid
    assert report["bind"] == gateway.url.removeprefix("http://")
    assert report["logged_in"] is True
    assert report["problems"] == []


def test_status_shows_a_broken_config_as_a_problem(gateway: Gateway):
    (gateway.home / "config.json").write_text("{")
    wait_until(lambda: gateway.status()["problems"], "the broken file is noticed")
    done = codexia("status", CODEXIA_HOME=str(gateway.home))
    assert done.returncode == 0
    problem = done.stdout.splitlines()[-1]
    assert problem.startswith("problem   ")
    assert "config.json" in problem
    write_config(gateway.home)
    wait_until(lambda: not gateway.status()["problems"], "the repaired file is noticed")


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
