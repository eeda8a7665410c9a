"""No command shows a secret: every one is run, well and badly, and its outputs searched.

A new command has to be added to `RUNS`. What a served request leaves behind is searched in
`tests/e2e/test_secrets.py`; `config show --reveal` is the one that shows secrets on demand.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import typer.main

from codexia.cli.app import app
from tests.cli.login_process import LoginProcess
from tests.e2e.processes import Gateway, Process, Simulator, log_in, running_gateway

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "local-key-canary-a5d1f0"
NAMED_KEY = "named-key-canary-0c93e7"
PROMPT = "prompt-canary-59be21"
ID_TOKEN = "id-token-canary-d2fa48"
PASSWORD = "proxy-password-canary-77aa01"
PATIENCE_S = 8.0
NOWHERE = "http://127.0.0.1:9"

RUNS: dict[str, tuple[str, ...]] = {
    "batches cancel": ("no-such-batch",),
    "batches delete": ("no-such-batch",),
    "batches list": ("", "--json"),
    "batches results": ("no-such-batch",),
    "batches show": ("no-such-batch",),
    "batches submit": ("{batch}", "{batch} --key {key}", "{batch} --key wrong-{key}"),
    "batches watch": ("no-such-batch",),
    "completion": ("bash",),
    "config edit": ("",),
    "config get": ("api_key", "api_keys", "bind_port"),
    "config path": ("",),
    "config reset": ("",),
    "config schema": ("",),
    "config set": ("api_key {key}", "workers {key}", "api_keys {key}"),
    "config show": ("", "--json"),
    "config unset": ("no_such_setting",),
    "daemon install": ("", "--api-key {key}"),
    "daemon logs": ("",),
    "daemon reinstall": ("",),
    "daemon restart": ("",),
    "daemon start": ("",),
    "daemon status": ("", "--json"),
    "daemon stop": ("",),
    "daemon uninstall": ("",),
    "demo": ("--bind {taken}",),
    "doctor": ("", "--json"),
    "login": (
        "--no-browser",
        "--device",
        "--from-codex {codex} --yes --auth-file {other}",
        "--from-codex {broken} --yes --auth-file {other}",
    ),
    "logout": ("--auth-file {other}", "--auth-file {broken}", ""),
    "models": ("", "--json"),
    "recordings clear": ("--yes",),
    "recordings export": ("{other} {broken}", "no-such-recording {broken}"),
    "recordings list": ("", "--json"),
    "recordings replay": ("{other}", "{broken}", "no-such-recording"),
    "recordings show": ("{other}", "{broken} --json", "no-such-recording"),
    "refresh": ("", "--json", "--auth-file {other}", "--auth-file {broken}"),
    "serve": ("", "--bind {taken} --api-key {key}"),
    "simulate": ("--bind {taken}",),
    "status": ("", "--json"),
    "update": ("--check",),
}


@dataclass
class Home:
    """A home full of secrets, and what to put for the names in braces.

    Attributes:
        secrets: what no output may hold, by name.
    """

    gateway: Gateway
    simulator: Simulator
    names: dict[str, str]
    secrets: dict[str, str]
    environment: dict[str, str]

    def run(self, command: str, arguments: str, **environment: str) -> str:
        """Return both outputs of a command."""
        given = [word.format(**self.names) for word in (*command.split(), *arguments.split())]
        started = Process(
            [sys.executable, "-m", "codexia", "-vv", *given],
            {**os.environ, **self.environment, **environment},
        )
        try:
            started.popen.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            started.popen.terminate()  # a login that waits for a browser
        started.stop(signal.SIGKILL)
        return "\n".join(started.lines)

    def hits(self, output: str) -> list[str]:
        return [name for name, secret in self.secrets.items() if secret in output]


def commands() -> Iterator[str]:
    """Every command of the tree."""

    def leaves(command: Any, path: tuple[str, ...]) -> Iterator[str]:
        inner = getattr(command, "commands", None)
        if not inner:
            yield " ".join(path)
            return
        for name, each in inner.items():
            yield from leaves(each, (*path, name))

    return leaves(typer.main.get_command(app), ())


def secrets_of(label: str, login: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("access_token", "refresh_token"):
        token = login[name]
        yield f"{label} {name}", token[-24:]
        if "." in token:
            yield f"claims of {label} {name}", token.split(".")[1][:40]


@pytest.fixture(scope="module")
def home(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    root = tmp_path_factory.mktemp("canaries")
    directory = root / "home"
    log_in(directory, simulator)
    keys = {"api_key": KEY, "api_keys": [{"name": "laptop", "key": NAMED_KEY}]}
    (directory / "config.json").write_bytes(orjson.dumps(keys))
    codex_login, other = (
        orjson.loads(simulator.credentials()),
        orjson.loads(simulator.credentials()),
    )
    (root / "other.json").write_bytes(orjson.dumps(other))
    tokens = {**codex_login, "id_token": ID_TOKEN}
    (root / "codex.json").write_bytes(orjson.dumps({"tokens": tokens, "OPENAI_API_KEY": None}))
    (root / "broken.json").write_text(f'{{"access_token": "{codex_login["access_token"]}')
    question = {"model": "gpt-5.5", "messages": [{"role": "user", "content": PROMPT}]}
    line = {"custom_id": "1", "params": {**question, "max_tokens": 10}}
    (root / "batch.jsonl").write_bytes(orjson.dumps(line) + b"\n")
    with running_gateway(directory, simulator, "--workers", "1", "-vv") as gateway:
        stored = orjson.loads((directory / "auth.json").read_bytes())
        yield Home(
            gateway,
            simulator,
            {
                "batch": str(root / "batch.jsonl"),
                "broken": str(root / "broken.json"),
                "codex": str(root / "codex.json"),
                "key": KEY,
                "other": str(root / "other.json"),
                "taken": gateway.url.removeprefix("http://"),
            },
            {
                "key": KEY,
                "named key": NAMED_KEY,
                "prompt": PROMPT,
                "id token": ID_TOKEN,
                "password of the proxy": PASSWORD,
                **dict(secrets_of("stored", stored)),
                **dict(secrets_of("other", other)),
                **dict(secrets_of("codex", codex_login)),
            },
            {
                "CODEXIA_HOME": str(directory),
                "CODEXIA_OAUTH_ISSUER": simulator.url,
                "CODEXIA_UPSTREAM_BASE_URL": f"{simulator.url}/backend-api",
                # No service manager, no installer with a network, no editor that waits.
                "PATH": str(root),
                "EDITOR": "true",
                "PIP_INDEX_URL": f"http://user:{PASSWORD}@127.0.0.1:9/simple",
                "PIP_RETRIES": "0",
                "HTTPS_PROXY": f"http://user:{PASSWORD}@127.0.0.1:9",
            },
        )


def test_every_command_is_in_the_table():
    assert sorted(RUNS) == sorted(commands())


@pytest.mark.parametrize("command", sorted(set(RUNS) - {"login", "logout", "refresh"}))
def test_outputs_of_a_command_hold_no_secret(home: Home, command: str):
    for arguments in RUNS[command]:
        output = home.run(command, arguments)
        assert home.hits(output) == [], f"{command} {arguments}"


def test_outputs_of_the_login_commands_hold_no_secret(home: Home):
    for command in ("login", "refresh", "logout"):
        for arguments in RUNS[command]:
            for issuer in (home.simulator.url, NOWHERE):
                output = home.run(command, arguments, CODEXIA_OAUTH_ISSUER=issuer)
                assert home.hits(output) == [], f"{command} {arguments}"


def test_whole_login_shows_no_secret(simulator: Simulator, tmp_path: Path):
    with LoginProcess(tmp_path, simulator) as login:
        redirect = login.browse()
        login.paste(redirect)
        assert login.finish() == 0, login.output
    code = redirect.partition("code=")[2].partition("&")[0]
    stored = orjson.loads((tmp_path / "auth.json").read_bytes())
    for name, secret in (("code", code), *secrets_of("new", stored)):
        assert secret not in login.output, name


def test_gateway_that_served_them_all_logged_no_secret(home: Home):
    assert [line for line in home.gateway.lines if home.hits(line)] == []


def test_reveal_shows_them(home: Home, tmp_path: Path):
    """The documented exception, and the proof that the search finds what is there."""
    config = {"api_key": KEY, "api_keys": [{"name": "laptop", "key": NAMED_KEY}]}
    (tmp_path / "config.json").write_bytes(orjson.dumps(config))
    output = home.run("config show", "--reveal", CODEXIA_HOME=str(tmp_path))
    assert set(home.hits(output)) == {"key", "named key"}
