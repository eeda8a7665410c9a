"""`codexia logout`, alone and beside a gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import orjson
import pytest

from tests.cli.command import codexia
from tests.cli.test_login import still_good
from tests.e2e.processes import log_in, running_gateway, wait_until
from tests.e2e.streams import PATHS, body

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.processes import Simulator

pytestmark = pytest.mark.usefixtures("fresh_counts")


def environment(tmp_path: Path, simulator: Simulator) -> dict[str, str]:
    return {"CODEXIA_HOME": str(tmp_path), "CODEXIA_OAUTH_ISSUER": simulator.url}


def test_login_is_revoked_and_removed(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    token = orjson.loads((tmp_path / "auth.json").read_bytes())["refresh_token"]
    done = codexia("logout", **environment(tmp_path, simulator))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Logged out; removed {tmp_path / 'auth.json'}\n"
    assert not (tmp_path / "auth.json").exists()
    assert not still_good(simulator, token)


def test_second_logout_has_nothing_to_do(simulator: Simulator, tmp_path: Path):
    done = codexia("logout", **environment(tmp_path, simulator))
    assert done.returncode == 0
    assert "Not logged in" in done.stdout
    assert "POST /oauth/revoke" not in simulator.stats["requests"]


def test_login_is_removed_where_it_cannot_be_revoked(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    done = codexia("logout", CODEXIA_HOME=str(tmp_path), CODEXIA_OAUTH_ISSUER="http://127.0.0.1:9")
    assert done.returncode == 0
    assert "could not be revoked" in done.stderr
    assert "security settings" in done.stderr
    assert not (tmp_path / "auth.json").exists()


def test_file_that_is_no_login_is_removed_too(simulator: Simulator, tmp_path: Path):
    (tmp_path / "auth.json").write_text("{")
    done = codexia("logout", **environment(tmp_path, simulator))
    assert done.returncode == 0
    assert "not valid JSON" in done.stderr
    assert not (tmp_path / "auth.json").exists()


def test_auth_file_may_be_named(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path / "other", simulator)
    log_in(tmp_path, simulator)
    other = tmp_path / "other" / "auth.json"
    done = codexia("logout", "--auth-file", str(other), **environment(tmp_path, simulator))
    assert done.returncode == 0
    assert (other.exists(), (tmp_path / "auth.json").exists()) == (False, True)


def test_running_gateway_notices_at_once(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    with running_gateway(tmp_path, simulator, "--workers", "1") as gateway:
        ask = body("chat", "SAY[[hi]]", stream=False)
        assert httpx.post(gateway.url + PATHS["chat"], json=ask).status_code == 200
        assert codexia("logout", **environment(tmp_path, simulator)).returncode == 0

        def refused() -> bool:
            reply = httpx.post(gateway.url + PATHS["chat"], json=ask)
            return reply.status_code == 401 and "codexia login" in reply.text

        wait_until(refused, "the gateway knows", 2)
        assert not gateway.status()["logged_in"]
        log_in(tmp_path, simulator)
        wait_until(lambda: gateway.status()["logged_in"], "a later login is taken up")
