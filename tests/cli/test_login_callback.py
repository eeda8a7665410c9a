"""`codexia login` with a browser on this machine: the redirect comes to the command by itself."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from codexia.oauth.authorize import CALLBACK_PORTS
from tests.cli.callback_ports import has_ipv6, reserved_ports, taken
from tests.cli.login_process import LoginProcess
from tests.cli.test_login import assert_logged_in, assert_refused
from tests.e2e.processes import running_gateway, wait_until
from tests.e2e.streams import PATHS, body

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.processes import Simulator

FIRST, SECOND = CALLBACK_PORTS


@pytest.fixture(autouse=True)
def ports(fresh_counts: None) -> Iterator[None]:
    with reserved_ports():
        yield


def decline(simulator: Simulator) -> None:
    simulator.http.post(
        "/simulator/oauth-faults", json={"fault": {"kind": "access_denied"}}
    ).raise_for_status()


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_callback_wins_while_the_paste_is_awaited(
    simulator: Simulator, tmp_path: Path, terminal: bool
):
    with LoginProcess(tmp_path, simulator, terminal=terminal) as login:
        page = login.arrive(login.browse())
        assert page.status_code == 200
        assert "Logged in" in page.text
        assert "simulated@example.com" in page.text
        assert_logged_in(login, tmp_path / "auth.json", simulator)
        if terminal:
            assert login.modes() == login.modes_before


def test_paste_wins_while_the_callback_is_awaited(simulator: Simulator, tmp_path: Path):
    with LoginProcess(tmp_path, simulator, terminal=True) as login:
        port = _port(login)
        assert login.arrive(f"http://127.0.0.1:{port}/").status_code == 404
        login.paste(login.browse())
        assert_logged_in(login, tmp_path / "auth.json", simulator)
    with pytest.raises(httpx.ConnectError):
        login.arrive(f"http://127.0.0.1:{port}/")


def test_page_needs_nothing_from_elsewhere_and_keeps_the_code_to_itself(
    simulator: Simulator, tmp_path: Path
):
    with LoginProcess(tmp_path, simulator) as login:
        page = login.arrive(login.browse())
    assert "http" not in page.text.replace("http-equiv", "")
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]"])
def test_browser_finds_it_at_either_loopback_address(
    simulator: Simulator, tmp_path: Path, address: str
):
    if address == "[::1]" and not has_ipv6():
        pytest.skip("no IPv6 here")
    with LoginProcess(tmp_path, simulator) as login:
        page = login.arrive(login.browse().replace("localhost", address), host=f"localhost:{FIRST}")
        assert page.status_code == 200, page.text
        assert_logged_in(login, tmp_path / "auth.json", simulator)


def test_second_port_is_told_to_the_authority(simulator: Simulator, tmp_path: Path):
    with taken(FIRST), LoginProcess(tmp_path, simulator) as login:
        redirect = login.browse()
        assert redirect.startswith(f"http://localhost:{SECOND}/auth/callback?")
        assert login.arrive(redirect).status_code == 200
        assert_logged_in(login, tmp_path / "auth.json", simulator)


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_port_of_which_another_program_has_half_is_not_used(simulator: Simulator, tmp_path: Path):
    with taken(FIRST, families=(socket.AF_INET6,)), LoginProcess(tmp_path, simulator) as login:
        assert login.browse().startswith(f"http://localhost:{SECOND}/")


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_without_a_port_the_paste_is_all_and_that_is_said(
    simulator: Simulator, tmp_path: Path, terminal: bool
):
    with taken(*CALLBACK_PORTS), LoginProcess(tmp_path, simulator, terminal=terminal) as login:
        assert f"{FIRST} and {SECOND}" in login.wait_for("paste it here.")
        login.paste(login.browse())
        assert_logged_in(login, tmp_path / "auth.json", simulator)


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_end_of_input_without_a_port_is_explained(
    simulator: Simulator, tmp_path: Path, terminal: bool
):
    with taken(*CALLBACK_PORTS), LoginProcess(tmp_path, simulator, terminal=terminal) as login:
        assert login.address
        login.end_input()
        assert_refused(login, tmp_path / "auth.json", "input ended", "codexia login")


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_end_of_input_leaves_the_callback(simulator: Simulator, tmp_path: Path, terminal: bool):
    with LoginProcess(tmp_path, simulator, terminal=terminal) as login:
        redirect = login.browse()
        login.end_input()
        login.wait_for("waiting for the browser")
        assert login.arrive(redirect).status_code == 200
        assert_logged_in(login, tmp_path / "auth.json", simulator)


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_declined_login_is_explained_in_both_places(
    simulator: Simulator, tmp_path: Path, terminal: bool
):
    decline(simulator)
    with LoginProcess(tmp_path, simulator, terminal=terminal) as login:
        page = login.arrive(login.browse())
        assert page.status_code == 400
        assert "has no access to Codex" in page.text
        assert_refused(login, tmp_path / "auth.json", "has no access to Codex", "access_denied")


def test_error_of_the_redirect_is_text_and_nothing_else(simulator: Simulator, tmp_path: Path):
    with LoginProcess(tmp_path, simulator) as login:
        query = {"error": "<b>x", "error_description": "\x1b[31mred", "state": login.state}
        page = login.arrive(f"http://localhost:{_port(login)}/auth/callback?{urlencode(query)}")
        assert "<b>" not in page.text
        assert_refused(login, tmp_path / "auth.json", "<b>x: [31mred")
        assert "\x1b" not in login.output


def test_failed_exchange_is_told_to_the_browser(simulator: Simulator, tmp_path: Path):
    with LoginProcess(tmp_path, simulator) as login:
        query = {"code": "ac_from-yesterday", "state": login.state}
        page = login.arrive(f"http://localhost:{_port(login)}/auth/callback?{urlencode(query)}")
        assert page.status_code == 400
        assert "refused the code" in page.text
        assert_refused(login, tmp_path / "auth.json", "refused the code")


def test_noise_is_answered_and_does_not_end_the_login(simulator: Simulator, tmp_path: Path):
    with LoginProcess(tmp_path, simulator) as login:
        redirect = login.browse()
        port = _port(login)
        base = f"http://localhost:{port}"
        foreign = redirect.replace(login.state, "another-state")
        for url, headers, status in (
            (f"{base}/favicon.ico", {}, 404),
            (f"{base}/", {}, 404),
            (f"{base}/auth/callback", {}, 400),
            (f"{base}/auth/callback?state={login.state}", {}, 400),
            (f"{base}/auth/callback?code=stolen", {}, 400),
            (foreign, {}, 400),
            (redirect, {"host": f"rebound.example:{port}"}, 403),
            (redirect, {"host": "localhost"}, 403),
        ):
            assert login.arrive(url, **headers).status_code == status, url
        assert httpx.post(redirect, trust_env=False).status_code == 405
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(b"\x16\x03\x01 not http\r\n\r\n")
            raw.recv(1000)
        assert "POST /oauth/token" not in simulator.stats["requests"]
        assert login.arrive(redirect).status_code == 200
        assert_logged_in(login, tmp_path / "auth.json", simulator)


def test_state_that_does_not_match_is_explained_on_the_page(simulator: Simulator, tmp_path: Path):
    with LoginProcess(tmp_path, simulator) as login:
        page = login.arrive(login.browse().replace(login.state, "another-state"))
        assert "another login attempt" in page.text
        assert login.popen.poll() is None


def test_browser_that_never_closes_its_connection_does_not_hold_the_command(
    simulator: Simulator, tmp_path: Path
):
    with (
        LoginProcess(tmp_path, simulator) as login,
        socket.create_connection(("127.0.0.1", _port(login))) as idle,
    ):
        idle.sendall(b"GET /auth/callback HTTP/1.1\r\n")
        login.paste(login.browse())
        assert_logged_in(login, tmp_path / "auth.json", simulator)


@pytest.mark.parametrize("hindrance", [None, "--no-browser", "SSH_CONNECTION", "DISPLAY"])
def test_browser_is_opened_where_there_is_one(
    simulator: Simulator, tmp_path: Path, hindrance: str | None
):
    if sys.platform == "darwin" and hindrance == "DISPLAY":
        pytest.skip("needs no display")
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(0o700)
    environment = {"BROWSER": str(browser), "DISPLAY": ":0"}
    flags = ["--no-browser"] if hindrance == "--no-browser" else []
    if hindrance in {"SSH_CONNECTION", "DISPLAY"}:
        environment[hindrance] = "10.0.0.1 1 10.0.0.2 22" if hindrance != "DISPLAY" else ""
    with LoginProcess(tmp_path / "home", simulator, *flags, **environment) as login:
        address = login.address
        if hindrance is None:
            assert "A browser opens" in login.output
            wait_until(opened.exists, "the browser")
            assert opened.read_text() == address
        else:
            assert "A browser opens" not in login.output
            login.arrive(login.browse())
            login.finish()
            assert not opened.exists()


def test_running_gateway_takes_the_login_up(simulator: Simulator, tmp_path: Path):
    with running_gateway(tmp_path, simulator, "--workers", "1") as gateway:
        ask = body("chat", "SAY[[hi]]", stream=False)
        assert httpx.post(gateway.url + PATHS["chat"], json=ask).status_code == 401
        with LoginProcess(tmp_path, simulator, terminal=True) as login:
            assert login.arrive(login.browse()).status_code == 200
            assert_logged_in(login, tmp_path / "auth.json", simulator)
        wait_until(
            lambda: httpx.post(gateway.url + PATHS["chat"], json=ask).status_code == 200,
            "the gateway serves by the new login",
            2,
        )


def _port(login: LoginProcess) -> int:
    redirect_uri = parse_qs(urlsplit(login.address).query)["redirect_uri"][0]
    return urlsplit(redirect_uri).port or 0
