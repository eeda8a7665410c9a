"""`codexia login --from-codex`: a copy of the official CLI's login, with its eyes open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest

from tests.cli.codex_files import write_codex_login
from tests.cli.command import assert_one_line_error, codexia
from tests.cli.login_process import LoginProcess
from tests.cli.test_login import still_good
from tests.e2e.processes import log_in, running_gateway, wait_until
from tests.e2e.streams import PATHS, body

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.e2e.processes import Simulator

pytestmark = pytest.mark.usefixtures("fresh_counts")


def copy(
    tmp_path: Path, simulator: Simulator, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return codexia(
        "login",
        "--from-codex",
        *arguments,
        CODEXIA_HOME=str(tmp_path / "home"),
        CODEX_HOME=str(tmp_path / "codex"),
        CODEXIA_OAUTH_ISSUER=simulator.url,
        **environment,
    )


def stored(tmp_path: Path) -> dict[str, Any]:
    return orjson.loads((tmp_path / "home" / "auth.json").read_bytes())


def test_login_is_copied_where_that_is_confirmed(simulator: Simulator, tmp_path: Path):
    tokens = write_codex_login(tmp_path / "codex", simulator)
    before = (tmp_path / "codex" / "auth.json").read_bytes()
    done = copy(tmp_path, simulator, "--yes")
    assert done.returncode == 0, done
    assert "works once" in done.stderr
    assert "Logged in as simulated@example.com (pro)" in done.stdout
    login = stored(tmp_path)
    assert {key: login[key] for key in tokens} == tokens
    assert login["expires_at"]
    assert (tmp_path / "codex" / "auth.json").read_bytes() == before
    for secret in tokens.values():
        assert secret not in done.stdout + done.stderr


def test_script_has_to_say_that_it_knows(simulator: Simulator, tmp_path: Path):
    write_codex_login(tmp_path / "codex", simulator)
    done = copy(tmp_path, simulator)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert "--yes" in last
    assert "--read-only" in last
    assert not (tmp_path / "home" / "auth.json").exists()


@pytest.mark.parametrize("answer", ["y", "n"])
def test_person_is_asked(simulator: Simulator, tmp_path: Path, answer: str):
    write_codex_login(tmp_path / "codex", simulator)
    with LoginProcess(
        tmp_path / "home",
        simulator,
        "--from-codex",
        terminal=True,
        CODEX_HOME=str(tmp_path / "codex"),
    ) as login:
        login.wait_for("Copy it all the same?")
        login.paste(answer)
        assert login.finish() == (0 if answer == "y" else 1), login.output
    assert (tmp_path / "home" / "auth.json").exists() == (answer == "y")


@pytest.mark.parametrize("named", ["file", "directory"])
def test_path_may_be_given(simulator: Simulator, tmp_path: Path, named: str):
    elsewhere = tmp_path / "elsewhere"
    tokens = write_codex_login(elsewhere, simulator)
    path = elsewhere / "auth.json" if named == "file" else elsewhere
    assert copy(tmp_path, simulator, str(path), "--yes").returncode == 0
    assert stored(tmp_path)["access_token"] == tokens["access_token"]


def test_read_only_copy_serves_and_cannot_be_refreshed(simulator: Simulator, tmp_path: Path):
    tokens = write_codex_login(tmp_path / "codex", simulator)
    done = copy(tmp_path, simulator, "--read-only")
    assert done.returncode == 0, done
    assert "is not refreshed" in done.stdout
    assert tokens["refresh_token"] not in (tmp_path / "home" / "auth.json").read_text()
    with running_gateway(tmp_path / "home", simulator, "--workers", "1") as gateway:
        ask = body("chat", "SAY[[hi]]", stream=False)
        assert httpx.post(gateway.url + PATHS["chat"], json=ask).status_code == 200
        [problem] = gateway.status()["problems"]
        assert "cannot be refreshed" in problem
        assert httpx.post(f"{gateway.url}/v1/auth/refresh").status_code == 401
    assert still_good(simulator, tokens["refresh_token"])


def test_read_only_copy_of_an_expired_token_is_refused(simulator: Simulator, tmp_path: Path):
    write_codex_login(tmp_path / "codex", simulator, expires_in_s=-5)
    done = copy(tmp_path, simulator, "--read-only")
    assert_one_line_error(done, "expired", "`codex`")
    assert not (tmp_path / "home" / "auth.json").exists()


@pytest.mark.parametrize(
    ("members", "parts"),
    [
        ({"auth_mode": "apikey", "OPENAI_API_KEY": "sk-x"}, ["API key", "codexia login"]),
        ({"auth_mode": None, "OPENAI_API_KEY": "sk-x", "tokens": None}, ["API key"]),
        ({"tokens": None}, ["no tokens", "codexia login"]),
        ({"auth_mode": "agentIdentity"}, ["agent"]),
    ],
    ids=["apikey", "apikey by what it holds", "no tokens", "agent"],
)
def test_logins_that_are_no_use_are_explained(
    simulator: Simulator, tmp_path: Path, members: dict[str, Any], parts: list[str]
):
    write_codex_login(tmp_path / "codex", simulator, **members)
    done = copy(tmp_path, simulator, "--yes")
    assert_one_line_error(done, str(tmp_path / "codex"), *parts)
    assert "sk-x" not in done.stderr


def test_missing_file_is_explained_by_the_keyring(simulator: Simulator, tmp_path: Path):
    assert_one_line_error(copy(tmp_path, simulator, "--yes"), "keyring", "codex login")


def test_the_codex_clis_own_file_is_never_written(simulator: Simulator, tmp_path: Path):
    write_codex_login(tmp_path / "codex", simulator)
    path = tmp_path / "codex" / "auth.json"
    before = path.read_bytes()
    assert_one_line_error(copy(tmp_path, simulator, "--yes", "--auth-file", str(path)), "own file")
    assert path.read_bytes() == before


def test_running_gateway_takes_the_copy_up(simulator: Simulator, tmp_path: Path):
    write_codex_login(tmp_path / "codex", simulator)
    with running_gateway(tmp_path / "home", simulator, "--workers", "1") as gateway:
        assert copy(tmp_path, simulator, "--yes").returncode == 0
        ask = body("chat", "SAY[[hi]]", stream=False)
        wait_until(
            lambda: httpx.post(gateway.url + PATHS["chat"], json=ask).status_code == 200,
            "the gateway serves by the copy",
            2,
        )


def test_copy_stays_one_after_a_refresh_and_is_not_revoked(simulator: Simulator, tmp_path: Path):
    write_codex_login(tmp_path / "codex", simulator)
    assert copy(tmp_path, simulator, "--yes").returncode == 0
    home = {"CODEXIA_HOME": str(tmp_path / "home"), "CODEXIA_OAUTH_ISSUER": simulator.url}
    assert codexia("refresh", **home).returncode == 0
    refreshed = stored(tmp_path)["refresh_token"]
    done = codexia("logout", **home)
    assert done.returncode == 0
    assert "Codex CLI's own login was left" in done.stdout
    assert still_good(simulator, refreshed)


def test_login_that_the_copy_replaces_is_revoked(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path / "home", simulator)
    ours = stored(tmp_path)["refresh_token"]
    write_codex_login(tmp_path / "codex", simulator)
    assert copy(tmp_path, simulator, "--yes").returncode == 0
    assert not still_good(simulator, ours)


@pytest.mark.parametrize(
    "arguments",
    [["--from-codex", "--device"], ["some/path"], ["--read-only"], ["--yes"]],
    ids=" ".join,
)
def test_what_makes_no_sense_is_a_usage_error(tmp_path: Path, arguments: list[str]):
    done = codexia("login", *arguments, CODEXIA_HOME=str(tmp_path))
    assert done.returncode == 2
    assert "--from-codex" in done.stderr
