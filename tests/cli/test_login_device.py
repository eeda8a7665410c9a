"""`codexia login --device`, approved, declined, expired or not allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.login_process import LoginProcess
from tests.cli.test_login import assert_logged_in, assert_refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.processes import Simulator

pytestmark = pytest.mark.usefixtures("fresh_counts")

BOTH = pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])


def fault(simulator: Simulator, **fault: Any) -> None:
    simulator.http.post("/simulator/oauth-faults", json={"fault": fault}).raise_for_status()


def approve(simulator: Simulator, login: LoginProcess) -> None:
    """Type the code that is shown, as a person does on another machine."""
    lines = login.wait_for("Waiting for the approval").splitlines()
    assert f"{simulator.url}/codex/device" in [line.strip() for line in lines]
    [user_code] = [line.strip() for line in lines if len(line.strip()) == 9 and "-" in line]
    simulator.http.post("/codex/device", json={"user_code": user_code}).raise_for_status()


@BOTH
def test_approved_code_logs_in(simulator: Simulator, tmp_path: Path, terminal: bool):
    with LoginProcess(tmp_path, simulator, "--device", terminal=terminal) as login:
        approve(simulator, login)
        assert_logged_in(login, tmp_path / "auth.json", simulator)
        assert ("\x1b" in login.output) == terminal
    assert simulator.stats["requests"]["POST /api/accounts/deviceauth/token"] >= 1


def test_terminal_shows_the_time_that_is_left(simulator: Simulator, tmp_path: Path):
    with LoginProcess(tmp_path, simulator, "--device", terminal=True) as login:
        login.wait_for("15 minutes")
        login.wait_for(", 15:00 left")
        login.wait_for(", 14:58 left")


@BOTH
def test_code_that_nobody_approves_expires(simulator: Simulator, tmp_path: Path, terminal: bool):
    fault(simulator, kind="device_hasty", expires_in_s=1.5)
    with LoginProcess(tmp_path, simulator, "--device", terminal=terminal) as login:
        assert_refused(login, tmp_path / "auth.json", "expired", "codexia login --device")
    assert simulator.stats["requests"]["POST /api/accounts/deviceauth/token"] >= 1


@pytest.mark.parametrize(
    ("kind", "said"),
    [("device_code_expired", "expired"), ("device_access_denied", "declined in the browser")],
)
def test_decision_against_it_ends_it(simulator: Simulator, tmp_path: Path, kind: str, said: str):
    fault(simulator, kind=kind)
    with LoginProcess(tmp_path, simulator, "--device") as login:
        assert_refused(login, tmp_path / "auth.json", said, "codexia login --device")


def test_account_without_device_codes_is_told_where_to_allow_them(
    simulator: Simulator, tmp_path: Path
):
    fault(simulator, kind="device_off")
    with LoginProcess(tmp_path, simulator, "--device") as login:
        assert_refused(
            login, tmp_path / "auth.json", "not enabled", "security settings", "without --device"
        )


def test_authority_that_cannot_be_reached_is_explained(simulator: Simulator, tmp_path: Path):
    with LoginProcess(
        tmp_path, simulator, "--device", CODEXIA_OAUTH_ISSUER="http://127.0.0.1:9"
    ) as login:
        assert_refused(login, tmp_path / "auth.json", "could not be reached")


def test_ctrl_c_ends_the_wait_quietly(simulator: Simulator, tmp_path: Path):
    with LoginProcess(tmp_path, simulator, "--device", terminal=True) as login:
        login.wait_for("left")
        login.type(b"\x03")
        assert login.finish() == 130, login.output
        assert "Traceback" not in login.output
        assert not (tmp_path / "auth.json").exists()
