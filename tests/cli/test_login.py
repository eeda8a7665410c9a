"""`codexia login`, from the printed address to a gateway that serves by the new login."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest

from codexia.oauth.authorize import CLIENT_ID
from tests.cli.callback_ports import shared_ports
from tests.cli.login_process import PROMPT, LoginProcess
from tests.e2e.processes import log_in, running_gateway, wait_until, write_config
from tests.e2e.streams import PATHS, body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.processes import Simulator

pytestmark = pytest.mark.usefixtures("fresh_counts")

LONGER_THAN_A_TERMINAL_LINE = "x" * 6000

FORMS: dict[str, Callable[[str], str]] = {
    "address": lambda redirect: redirect,
    "address in blanks": lambda redirect: f"  {redirect}\t",
    "address without its scheme": lambda redirect: redirect.removeprefix("http://"),
    "query": lambda redirect: urlsplit(redirect).query,
    "code and state": lambda redirect: "{code[0]}#{state[0]}".format(**fields_of(redirect)),
    "code alone": lambda redirect: fields_of(redirect)["code"][0],
}


@pytest.fixture(autouse=True)
def ports() -> Iterator[None]:
    with shared_ports():
        yield


def fields_of(redirect: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(redirect).query)


def assert_logged_in(login: LoginProcess, auth_file: Path, simulator: Simulator) -> None:
    """The file is a whole login, private, and none of its secrets was shown."""
    assert login.finish() == 0, login.output
    assert login.last_line == f"Logged in as simulated@example.com (pro); saved to {auth_file}"
    assert auth_file.stat().st_mode & 0o777 == 0o600
    stored = orjson.loads(auth_file.read_bytes())
    assert list(stored) == ["access_token", "refresh_token", "expires_at", "account_id"]
    for secret in ("access_token", "refresh_token", "account_id"):
        assert stored[secret]
        assert stored[secret] not in login.output
    assert simulator.stats["violations"] == []


def assert_refused(login: LoginProcess, auth_file: Path, *parts: str) -> None:
    """The login failed in one line that says why, and left nothing."""
    assert login.finish() == 1, login.output
    assert "Traceback" not in login.output
    assert login.last_line.startswith("error: ")
    for part in parts:
        assert part in login.last_line
    assert not auth_file.exists()


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_the_redirect_logs_in(form: str, simulator: Simulator, tmp_path: Path):
    with LoginProcess(tmp_path, simulator) as login:
        login.paste(FORMS[form](login.browse()))
        assert_logged_in(login, tmp_path / "auth.json", simulator)


@pytest.mark.parametrize("padding", ["", LONGER_THAN_A_TERMINAL_LINE], ids=["short", "long"])
def test_redirect_is_pasted_into_a_terminal(padding: str, simulator: Simulator, tmp_path: Path):
    with LoginProcess(tmp_path, simulator, terminal=True) as login:
        redirect = login.browse()
        head, _, tail = redirect.partition("?")
        login.paste(f"{head}?padding={padding}&{tail}")
        assert_logged_in(login, tmp_path / "auth.json", simulator)


def test_blank_lines_before_the_paste_do_not_matter(simulator: Simulator, tmp_path: Path):
    with LoginProcess(tmp_path, simulator, terminal=True) as login:
        redirect = login.browse()
        login.paste("")
        wait_until(lambda: login.output.count(PROMPT) == 2, "it asks again")
        login.paste(redirect)
        assert_logged_in(login, tmp_path / "auth.json", simulator)


def test_long_redirect_comes_through_a_pipe(simulator: Simulator, tmp_path: Path):
    with LoginProcess(tmp_path, simulator) as login:
        login.paste(f"{login.browse()}&padding={LONGER_THAN_A_TERMINAL_LINE}")
        assert_logged_in(login, tmp_path / "auth.json", simulator)


def test_redirect_of_another_attempt_is_refused(simulator: Simulator, tmp_path: Path):
    with LoginProcess(tmp_path, simulator) as login:
        login.paste(login.browse().replace(login.state, "another-state"))
        assert_refused(login, tmp_path / "auth.json", "state", "codexia login")
    assert "POST /oauth/token" not in simulator.stats["requests"]


def test_declined_login_is_explained(simulator: Simulator, tmp_path: Path):
    simulator.http.post(
        "/simulator/oauth-faults", json={"fault": {"kind": "access_denied"}}
    ).raise_for_status()
    with LoginProcess(tmp_path, simulator) as login:
        login.paste(login.browse())
        assert_refused(
            login, tmp_path / "auth.json", "access_denied", "this account has no access to Codex"
        )


def test_paste_without_a_code_is_explained(simulator: Simulator, tmp_path: Path):
    with LoginProcess(tmp_path, simulator) as login:
        login.paste(login.address)
        assert_refused(login, tmp_path / "auth.json", "no authorization code", "whole address")


def test_used_code_is_explained(simulator: Simulator, tmp_path: Path):
    with LoginProcess(tmp_path, simulator) as login:
        login.paste("ac_from-yesterday")
        assert_refused(login, tmp_path / "auth.json", "refused the code", "codexia login")


def test_authority_that_cannot_be_reached_is_explained(simulator: Simulator, tmp_path: Path):
    with LoginProcess(tmp_path, simulator, CODEXIA_OAUTH_ISSUER="http://127.0.0.1:9") as login:
        login.paste("ac_whatever")
        assert_refused(login, tmp_path / "auth.json", "could not be reached")


def test_reply_without_a_token_is_no_login(simulator: Simulator, tmp_path: Path):
    simulator.http.post(
        "/simulator/oauth-faults",
        json={"fault": {"kind": "partial", "without": ["access_token"]}},
    ).raise_for_status()
    with LoginProcess(tmp_path, simulator) as login:
        login.paste(login.browse())
        assert_refused(login, tmp_path / "auth.json", "lacks a token", "codexia login")


def test_wrong_pastes_into_a_terminal_are_explained_and_it_asks_again(
    simulator: Simulator, tmp_path: Path
):
    with LoginProcess(tmp_path, simulator, terminal=True) as login:
        redirect = login.browse()
        login.paste(redirect.replace(login.state, "another-state"))
        login.wait_for("state mismatch")
        login.paste(login.address)
        login.wait_for("no authorization code")
        wait_until(lambda: login.output.count(PROMPT) == 3, "it asks again")
        login.paste(redirect)
        assert_logged_in(login, tmp_path / "auth.json", simulator)


def test_declined_login_that_is_pasted_ends_it(simulator: Simulator, tmp_path: Path):
    simulator.http.post(
        "/simulator/oauth-faults", json={"fault": {"kind": "access_denied"}}
    ).raise_for_status()
    with LoginProcess(tmp_path, simulator, terminal=True) as login:
        login.paste(login.browse())
        assert_refused(login, tmp_path / "auth.json", "this account has no access to Codex")


def test_keys_of_a_terminal_edit_the_line(simulator: Simulator, tmp_path: Path):
    with LoginProcess(tmp_path, simulator, terminal=True) as login:
        redirect = login.browse()
        login.type(b"forget this\x15\x1b[A\x1b[200~")
        login.paste(f"{redirect}xy\x7f\x7f")
        assert_logged_in(login, tmp_path / "auth.json", simulator)


def test_authority_that_is_busy_is_asked_again_with_the_same_code(
    simulator: Simulator, tmp_path: Path
):
    simulator.http.post(
        "/simulator/oauth-faults", json={"fault": {"kind": "503"}, "count": 2}
    ).raise_for_status()
    with LoginProcess(tmp_path, simulator) as login:
        login.paste(login.browse())
        assert_logged_in(login, tmp_path / "auth.json", simulator)
    assert simulator.stats["requests"]["POST /oauth/token"] == 3


def test_code_that_may_be_spent_is_not_sent_again(simulator: Simulator, tmp_path: Path):
    simulator.http.post(
        "/simulator/oauth-faults", json={"fault": {"kind": "lost"}}
    ).raise_for_status()
    with LoginProcess(tmp_path, simulator) as login:
        login.paste(login.browse())
        assert_refused(login, tmp_path / "auth.json", "did not answer")
    assert simulator.stats["requests"]["POST /oauth/token"] == 1


def test_login_that_is_replaced_is_revoked(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    before = orjson.loads((tmp_path / "auth.json").read_bytes())["refresh_token"]
    with LoginProcess(tmp_path, simulator) as login:
        login.paste(login.browse())
        assert_logged_in(login, tmp_path / "auth.json", simulator)
    after = orjson.loads((tmp_path / "auth.json").read_bytes())["refresh_token"]
    assert (still_good(simulator, before), still_good(simulator, after)) == (False, True)


def test_originator_is_told_to_the_authority(simulator: Simulator, tmp_path: Path):
    with LoginProcess(tmp_path, simulator, "--originator", "pi") as login:
        assert parse_qs(urlsplit(login.address).query)["originator"] == ["pi"]


def test_ctrl_c_at_the_prompt_ends_it_quietly(simulator: Simulator, tmp_path: Path):
    with LoginProcess(tmp_path, simulator, terminal=True) as login:
        assert login.address
        login.type(b"\x03")
        assert login.finish() == 130, login.output
        assert "Traceback" not in login.output
        assert not (tmp_path / "auth.json").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_terminal_is_as_before_after_a_signal(
    simulator: Simulator, tmp_path: Path, number: signal.Signals
):
    with LoginProcess(tmp_path, simulator, terminal=True) as login:
        before = login.modes_before
        assert login.address
        assert login.modes() != before
        login.popen.send_signal(number)
        login.finish()
        assert login.modes() == before


def test_interrupt_during_the_exchange_ends_it_quietly(simulator: Simulator, tmp_path: Path):
    simulator.http.post(
        "/simulator/oauth-faults", json={"fault": {"kind": "slow", "ms": 60_000}}
    ).raise_for_status()
    with LoginProcess(tmp_path, simulator) as login:
        login.paste(login.browse())
        wait_until(lambda: simulator.stats["requests"].get("POST /oauth/token"), "the exchange")
        login.popen.send_signal(signal.SIGINT)
        assert login.finish() == 130, login.output
        assert "Traceback" not in login.output
        assert not (tmp_path / "auth.json").exists()


@pytest.mark.parametrize("source", ["flag", "environment", "config.json"])
def test_login_is_saved_where_the_settings_say(source: str, simulator: Simulator, tmp_path: Path):
    home, chosen = tmp_path / "home", tmp_path / "elsewhere" / "login.json"
    flags: list[str] = []
    environment: dict[str, str] = {}
    match source:
        case "flag":
            flags = ["--auth-file", str(chosen)]
        case "environment":
            environment = {"CODEXIA_AUTH_FILE": str(chosen)}
        case _:
            write_config(home, auth_file=str(chosen))
    with LoginProcess(home, simulator, *flags, **environment) as login:
        login.paste(login.browse())
        assert_logged_in(login, chosen, simulator)
    assert not (home / "auth.json").exists()


def test_running_gateway_takes_the_login_up(simulator: Simulator, tmp_path: Path):
    with running_gateway(tmp_path, simulator, "--workers", "1") as gateway:
        ask = body("chat", "SAY[[hi]]", stream=False)
        assert httpx.post(gateway.url + PATHS["chat"], json=ask).status_code == 401
        with LoginProcess(tmp_path, simulator) as login:
            login.paste(login.browse())
            assert_logged_in(login, tmp_path / "auth.json", simulator)
        wait_until(
            lambda: httpx.post(gateway.url + PATHS["chat"], json=ask).status_code == 200,
            "the gateway serves by the new login",
            2,
        )


def test_login_waits_for_a_refresh_that_is_under_way(simulator: Simulator, tmp_path: Path):
    """Otherwise the refresh would write the old account's tokens over the new login."""
    log_in(tmp_path, simulator)
    auth_file, lock_file = tmp_path / "auth.json", tmp_path / "auth.json.lock"
    with lock_file.open("w") as lock, LoginProcess(tmp_path, simulator, terminal=True) as login:
        fcntl.flock(lock, fcntl.LOCK_EX)
        login.paste(login.browse())
        wait_until(lambda: login.modes() == login.modes_before, "it has the code")
        log_in(tmp_path, simulator)  # what the refresh writes
        refreshed = auth_file.read_bytes()
        assert "POST /oauth/token" not in simulator.stats["requests"]
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert_logged_in(login, auth_file, simulator)
    assert auth_file.read_bytes() != refreshed


def test_address_is_what_the_authority_asks_for(simulator: Simulator, tmp_path: Path):
    with LoginProcess(tmp_path, simulator) as login:
        query = parse_qs(urlsplit(login.address).query)
        assert login.address.startswith(f"{simulator.url}/oauth/authorize?")
        assert query["redirect_uri"][0] in {
            "http://localhost:1455/auth/callback",
            "http://localhost:1457/auth/callback",
        }
        assert query["code_challenge_method"] == ["S256"]
        assert query["originator"] == ["codexia"]
    with LoginProcess(tmp_path, simulator) as another:
        assert another.state != query["state"][0]


def test_home_is_private(simulator: Simulator, tmp_path: Path):
    home = tmp_path / "new"
    with LoginProcess(home, simulator) as login:
        login.paste(login.browse())
        assert_logged_in(login, home / "auth.json", simulator)
    assert home.stat().st_mode & 0o777 == 0o700
    assert {each.name for each in home.iterdir() if each.is_file()} == {
        "auth.json",
        "auth.json.lock",
    }


def still_good(simulator: Simulator, refresh_token: str) -> bool:
    """Spend a refresh token to see whether it works."""
    fields = {"client_id": CLIENT_ID, "grant_type": "refresh_token", "refresh_token": refresh_token}
    return simulator.http.post("/oauth/token", json=fields).status_code == 200


def test_login_that_nobody_makes_ends_with_what_to_do(simulator: Simulator, tmp_path: Path):
    impatient = (
        "from codexia.cli import login_browser, main; login_browser.TIME_LIMIT_S = 0.5; main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", impatient, "login", "--no-browser"],
        env={
            **os.environ,
            "CODEXIA_HOME": str(tmp_path),
            "CODEXIA_OAUTH_ISSUER": simulator.url,
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stderr
        assert command.wait(30) == 1
        last_line = command.stderr.read().splitlines()[-1]
    assert last_line.startswith("error: nobody logged in within ")
    assert last_line.endswith("run `codexia login` again")
    assert not (tmp_path / "auth.json").exists()
