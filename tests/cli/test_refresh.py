"""`codexia refresh`, alone and through the gateway."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.cli.command import assert_one_line_error, codexia
from tests.e2e.processes import log_in, running_gateway

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.processes import Simulator

pytestmark = pytest.mark.usefixtures("fresh_counts")


FULL_DISK = """
import sys
from pathlib import Path
from codexia.cli import main
from codexia.oauth import renewal
from codexia.oauth.draft import Draft

full = Path(sys.argv[1])

def while_full(save):
    def saved(*args):
        if full.exists():
            raise OSError(28, "No space left on device")
        save(*args)
    return saved

Draft.publish = while_full(Draft.publish)
renewal.write_credentials = while_full(renewal.write_credentials)
sys.argv[1:] = ["refresh"]
main()
"""
"""The command, on a disk that fills up while the login server answers, as long as a file exists."""


def environment(tmp_path: Path, simulator: Simulator) -> dict[str, str]:
    return {"CODEXIA_HOME": str(tmp_path), "CODEXIA_OAUTH_ISSUER": simulator.url}


def stored(directory: Path) -> dict[str, Any]:
    return orjson.loads((directory / "auth.json").read_bytes())


def test_login_is_refreshed_without_a_gateway(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator, expires_in_s=60)
    before = stored(tmp_path)
    done = codexia("refresh", **environment(tmp_path, simulator))
    after = stored(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Refreshed; the access token is good until ")
    assert "(in 9d 23h)" in done.stdout
    for key in ("access_token", "refresh_token"):
        assert after[key] != before[key]
        assert after[key] not in done.stdout
    assert simulator.stats["refreshes"] == 1


@pytest.mark.parametrize("flagged", [False, True], ids=["default", "--auth-file"])
def test_gateway_refreshes_its_own_login(simulator: Simulator, tmp_path: Path, flagged: bool):
    log_in(tmp_path, simulator)
    with running_gateway(tmp_path, simulator, "--workers", "1") as gateway:
        flags = ["--auth-file", str(tmp_path / "auth.json")] if flagged else []
        done = codexia("refresh", "--json", *flags, **environment(tmp_path, simulator))
        assert done.returncode == 0, done
        report = orjson.loads(done.stdout)
        assert set(report) == {"account_id", "expires_at"}
        assert report["expires_at"] > time.time() + 800_000
        assert gateway.status()["counters"]["/refresh"] == 1
    assert stored(tmp_path)["expires_at"] == report["expires_at"]
    assert (simulator.stats["refreshes"], simulator.stats["refresh_token_reuse"]) == (1, 0)


def test_other_file_is_not_the_gateways_to_refresh(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    log_in(tmp_path / "other", simulator)
    before = stored(tmp_path), stored(tmp_path / "other")
    with running_gateway(tmp_path, simulator, "--workers", "1"):
        other = str(tmp_path / "other" / "auth.json")
        done = codexia("refresh", "--auth-file", other, **environment(tmp_path, simulator))
        assert done.returncode == 0, done
    assert stored(tmp_path) == before[0]
    assert stored(tmp_path / "other") != before[1]


def test_gateways_refusal_is_an_error(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    simulator.http.post(
        "/simulator/oauth-faults", json={"fault": {"kind": "refresh_token_expired"}}
    ).raise_for_status()
    with running_gateway(tmp_path, simulator, "--workers", "1"):
        done = codexia("refresh", **environment(tmp_path, simulator))
    assert_one_line_error(done, "expired", "codexia login")


def test_without_a_login_it_says_what_to_do(simulator: Simulator, tmp_path: Path):
    done = codexia("refresh", **environment(tmp_path, simulator))
    assert_one_line_error(done, "not logged in", "codexia login")


def test_refusal_without_a_gateway_is_an_error(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    simulator.http.post(
        "/simulator/oauth-faults", json={"fault": {"kind": "refresh_token_invalidated"}}
    ).raise_for_status()
    done = codexia("refresh", "--json", **environment(tmp_path, simulator))
    assert_one_line_error(done, "revoked", "codexia login")
    assert done.stdout == ""


def test_login_that_cannot_be_saved_is_kept_until_it_can(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    before = stored(tmp_path)
    full = tmp_path / "full"
    full.touch()
    with subprocess.Popen(
        [sys.executable, "-c", FULL_DISK, full],
        env={**os.environ, **environment(tmp_path, simulator)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stderr
        told = command.stderr.readline()
        assert "could not be saved" in told
        assert "lost if this command ends" in told
        assert stored(tmp_path) == before
        full.unlink()
        output, errors = command.communicate(timeout=30)
    assert (command.returncode, errors) == (0, "")
    assert output.startswith("Refreshed; ")
    assert stored(tmp_path)["refresh_token"] != before["refresh_token"]
    assert (simulator.stats["refreshes"], simulator.stats["refresh_token_reuse"]) == (1, 0)
    again = codexia("refresh", **environment(tmp_path, simulator))
    assert again.returncode == 0, again
    assert simulator.stats["refresh_token_reuse"] == 0
