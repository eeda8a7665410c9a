"""Client programs that are installed here, each run in a home of its own.

`tests/e2e/install-clients DIRECTORY` installs them all: what npm has goes under `$CODEXIA_TEST_CLIENTS`, Python
environments under `$CODEXIA_TEST_PYTHON_CLIENTS`. What is in neither is looked for on PATH.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

CLIENTS_VARIABLE = "CODEXIA_TEST_CLIENTS"
PYTHON_CLIENTS_VARIABLE = "CODEXIA_TEST_PYTHON_CLIENTS"
REQUIRED_VARIABLE = "CODEXIA_TEST_CLIENTS_REQUIRED"
"""Names of clients whose tests fail instead of being skipped where they are missing."""

TIMEOUT_S = 60.0
KEPT = ("LANG", "TMPDIR", "SYSTEMROOT")
OFFLINE = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
"""A proxy that nobody serves: what a client wants of other hosts does not leave this one."""


@dataclass(frozen=True)
class Run:
    """What a client program did.

    Attributes:
        answer: the last thing it said, or why it failed.
        events: what it told on the way, one object each.
    """

    code: int
    answer: str
    events: list[dict[str, Any]]

    def __str__(self) -> str:
        return f"exit {self.code}: {self.answer}"


def npm_program(name: str, native: str = "") -> str:
    """Return where a program of npm's is; `native` is the path of one that needs no node."""
    if modules := node_modules():
        for path in (modules / native, modules / ".bin" / name):
            if path.is_file():
                return str(path)
    return shutil.which(name) or missing(name, CLIENTS_VARIABLE)


def node_module(name: str) -> Path:
    """Return the directory in which node finds the package."""
    modules = node_modules()
    if modules and (modules / name).is_dir():
        return modules
    return missing(name, CLIENTS_VARIABLE)


def node_modules() -> Path | None:
    """Return what npm filled, None if the variable is not set."""
    directory = os.environ.get(CLIENTS_VARIABLE)
    return Path(directory) / "node_modules" if directory else None


def python_program(environment: str, name: str) -> str:
    """Return where a program of a Python environment is."""
    if directory := os.environ.get(PYTHON_CLIENTS_VARIABLE):
        path = Path(directory) / environment / "bin" / name
        if path.is_file():
            return str(path)
    return missing(name if name != "python" else environment, PYTHON_CLIENTS_VARIABLE)


def missing(name: str, variable: str) -> NoReturn:
    """Skip the test, or fail it where this client must be there."""
    reason = f"{name} is not in ${variable}"
    if name in os.environ.get(REQUIRED_VARIABLE, "").split():
        pytest.fail(reason)
    pytest.skip(reason)


def run_program(
    program: str, arguments: list[str], home: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a program in `home`/work to its end."""
    work = home / "work"
    work.mkdir(parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    # Its own directory comes first, for there is the node that was installed with it.
    path = os.pathsep.join([str(Path(program).parent), os.environ.get("PATH", os.defpath)])
    return subprocess.run(
        [program, *arguments],
        cwd=work,
        env={**kept, "PATH": path, "HOME": str(home), **OFFLINE, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
