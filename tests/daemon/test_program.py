"""Which command and which environment the daemon gets from the shell that installs it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from codexia.daemon.error import DaemonError
from codexia.daemon.program import carried_environment, serve_command
from codexia.paths import Home


def carried(tmp_path: Path, given: tuple[str, ...] = (), **environ: str) -> dict[str, str]:
    return carried_environment(environ, Home(tmp_path), given)[0]


def test_the_home_is_always_named(tmp_path: Path):
    assert carried(tmp_path) == {"CODEXIA_HOME": str(tmp_path)}


def test_settings_proxies_and_certificates_are_carried(tmp_path: Path):
    environ = {
        "CODEXIA_MODEL_FALLBACK": "gpt-5.4",
        "HTTPS_PROXY": "http://proxy:3128",
        "no_proxy": "localhost",
        "SSL_CERT_FILE": "/certs@2/ca.pem",
    }
    assert carried(tmp_path, **environ) == {"CODEXIA_HOME": str(tmp_path), **environ}


def test_everything_else_is_not(tmp_path: Path):
    environ = {"PATH": "/bin", "CODEXIA_NONSENSE": "1", "CODEXIA_WORKERS": "", "EDITOR": "vi"}
    assert carried(tmp_path, **environ) == {"CODEXIA_HOME": str(tmp_path)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "http://user:canary@proxy:1"),
        ("http_proxy", "user:canary@proxy:1"),
        ("CODEXIA_UPSTREAM_BASE_URL", "https://user:canary@host"),
    ],
)
def test_an_address_with_a_password_is_left_out_and_named(tmp_path: Path, name: str, value: str):
    environment, left_out = carried_environment({name: value}, Home(tmp_path), ())
    assert "canary" not in str(environment)
    assert left_out == (name,)


def test_the_local_key_is_never_carried(tmp_path: Path):
    assert "canary" not in str(carried(tmp_path, CODEXIA_API_KEY="canary"))


def test_an_option_wins_over_its_variable(tmp_path: Path):
    environment = carried(tmp_path, ("workers",), CODEXIA_WORKERS="3", CODEXIA_BIND_PORT="1")
    assert environment == {"CODEXIA_HOME": str(tmp_path), "CODEXIA_BIND_PORT": "1"}


def test_paths_are_made_absolute(
    tmp_path: Path, scratch_home: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    environment = carried(tmp_path, CODEXIA_AUTH_FILE="~/auth.json", SSL_CERT_FILE="ca.pem")
    assert environment["CODEXIA_AUTH_FILE"] == f"{scratch_home}/auth.json"
    assert environment["SSL_CERT_FILE"] == f"{tmp_path}/ca.pem"


def test_by_default_this_codexia_serves():
    *start, last = serve_command()
    assert last == "serve"
    assert os.access(start[0], os.X_OK)
    assert os.path.dirname(start[0]) == os.path.dirname(sys.executable)  # noqa: PTH120


def test_another_executable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "codexia").write_text("#!/bin/sh\n")
    monkeypatch.chdir(tmp_path)
    for bad in ("codexia", "missing", "."):
        with pytest.raises(DaemonError, match="not an executable file"):
            serve_command(tmp_path / bad)
    (tmp_path / "codexia").chmod(0o755)

    assert serve_command(Path("codexia")) == (str(tmp_path / "codexia"), "serve")
