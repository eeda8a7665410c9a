"""Foreseen failures are one line with the next step and exit 1, never a traceback."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from tests.cli.command import assert_one_line_error, codexia
from tests.e2e.processes import write_config

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("command", ["serve", "login"])
def test_home_that_is_a_file(command: str, tmp_path: Path):
    home = tmp_path / "file"
    home.touch()
    assert_one_line_error(codexia(command, CODEXIA_HOME=str(home)), str(home))


@pytest.mark.parametrize(
    ("content", "part"),
    [("{", "line 1"), ("[]", "object"), ('{"oauth_issuer": 5}', "oauth_issuer")],
)
def test_login_with_a_broken_config(content: str, part: str, tmp_path: Path):
    (tmp_path / "config.json").write_text(content)
    done = codexia("login", CODEXIA_HOME=str(tmp_path))
    assert_one_line_error(done, str(tmp_path / "config.json"), part)


def test_login_with_a_wrong_setting_in_the_environment(tmp_path: Path):
    done = codexia("login", CODEXIA_HOME=str(tmp_path), CODEXIA_OAUTH_ISSUER="auth.example.com")
    assert_one_line_error(done, "CODEXIA_OAUTH_ISSUER", "https://")


def test_serve_on_an_open_address_without_a_key(tmp_path: Path):
    done = codexia("serve", "--bind", "0.0.0.0:0", CODEXIA_HOME=str(tmp_path))
    assert done.returncode == os.EX_CONFIG
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "api_key" in line


def test_wrong_setting_keeps_serve_from_starting(tmp_path: Path):
    write_config(tmp_path, workers="many")
    done = codexia("serve", CODEXIA_HOME=str(tmp_path))
    assert done.returncode == os.EX_CONFIG
    [line] = done.stderr.splitlines()
    assert line.startswith(f"error: {tmp_path / 'config.json'}: workers: ")


def test_simulate_on_a_taken_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        assert_one_line_error(codexia("simulate", "--bind", bind), bind, "--bind HOST:PORT")
