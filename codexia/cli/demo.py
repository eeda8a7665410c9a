"""`codexia demo`: the whole gateway on this host, with no account and no network."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import typer

from codexia.cli.options import Bind, Verbose, Workers, flag_settings

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

FIRST_STEPS: Final = """
The demo gateway is up at {url}; a simulator answers in place of the Codex backend.

Ask it something, in either dialect:

  curl -N {url}/v1/chat/completions -H 'content-type: application/json' \\
    -d '{{"model":"gpt-5.5","stream":true,"messages":[{{"role":"user","content":"SAY[[hello there]]"}}]}}'

  curl -N {url}/v1/messages -H 'content-type: application/json' \\
    -d '{{"model":"gpt-5.5","max_tokens":1024,"stream":true,"messages":[{{"role":"user","content":"SAY[[hello there]]"}}]}}'

Point Claude Code at it (it will run the command between the brackets):

  ANTHROPIC_BASE_URL={url} ANTHROPIC_AUTH_TOKEN=demo ANTHROPIC_MODEL=gpt-5.5 \\
    claude -p 'RUN[[date]]' --allowedTools Bash

Ctrl-C ends it. With your own account: `codexia login`, then `codexia serve`.
"""


def demo(
    context: typer.Context,
    *,
    bind: Bind = None,
    workers: Workers = None,
    verbose: Verbose = 0,
) -> None:
    """Try it: gateway and simulator together, no login, no network.

    Everything lives in a scratch directory that goes with it; your own settings and login
    are left alone.
    """
    from pathlib import Path

    _forget_own_settings()
    with tempfile.TemporaryDirectory(prefix="codexia-demo-") as scratch, _simulator() as url:
        home = Path(scratch)
        _log_in(url, home)
        # The scratch home must hold for the children of this process too.
        os.environ["CODEXIA_HOME"] = scratch
        flags = flag_settings(
            bind=bind or _free_bind(),
            verbosity=verbose + context.obj,
            workers=workers,
            upstream_base_url=f"{url}/backend-api",
            oauth_issuer=url,
        )
        code = _serve(flags)
    raise typer.Exit(code)


def _serve(flags: dict[str, object]) -> int:
    from codexia.paths import Home
    from codexia_supervisor.serve import run

    def say_first_steps(url: str) -> None:
        typer.echo(FIRST_STEPS.format(url=url))

    return run(flags, Home.from_environment(), on_listening=say_first_steps)


def _forget_own_settings() -> None:
    """Drop settings of the environment: a key would make the printed lines fail."""
    from codexia.config import ENVIRONMENT

    for variable in ENVIRONMENT.values():
        os.environ.pop(variable, None)


@contextmanager
def _simulator() -> Generator[str]:
    """Give the address of a simulator in a process of its own.

    Raises:
        CodexiaError: it did not start; its own words are on standard error.
    """
    from codexia.errors import CodexiaError

    # In its own session, so that Ctrl-C reaches the gateway first, which drains its streams.
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "codexia.simulator", "--bind", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None  # noqa: S101 - for the type checker: stdout is a pipe
        announced = process.stdout.readline().split()
        if not announced:
            raise CodexiaError("the simulator did not start")
        yield announced[-1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _log_in(simulator_url: str, home: Path) -> None:
    import httpx

    from codexia.files import replace_file

    reply = httpx.post(f"{simulator_url}/simulator/credentials", json={}, trust_env=False)
    reply.raise_for_status()
    replace_file(home / "auth.json", reply.content)


def _free_bind() -> str:
    """Return the default address, or a free port where another program has that one."""
    from codexia.settings import DEFAULT_PORT

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DEFAULT_PORT))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
