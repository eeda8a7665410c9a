"""`codexia demo`: what it prints works when it is copied, and nothing of it stays behind."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from codexia.settings import DEFAULT_PORT
from codexia_supervisor.ending import STOP_GRACE_S
from tests.e2e.client_programs import ClaudeCode
from tests.e2e.processes import Process, children, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

LAST_LINE = "Ctrl-C ends it."


class Demo(Process):
    """`codexia demo`, up and told about."""

    def __init__(self, scratch: Path, *flags: str, **environment: str) -> None:
        self.scratch = scratch
        super().__init__(
            [sys.executable, "-m", "codexia", "demo", *flags],
            {**os.environ, "TMPDIR": str(scratch), **environment},
        )
        self.line_with(LAST_LINE)
        self.url = self.line_with("is up at").split(" is up at ")[1].split(";")[0]

    def commands(self, program: str) -> list[str]:
        """The printed shell commands that run a program, continuation lines joined."""
        text = "\n".join(self.lines).replace("\\\n", "")
        return [line.strip() for line in text.splitlines() if f"{program} " in line[:200]]


@contextmanager
def running_demo(scratch: Path, *flags: str, **environment: str) -> Iterator[Demo]:
    demo = Demo(scratch, *flags, **environment)
    try:
        yield demo
    finally:
        demo.stop(signal.SIGINT)


def descendants(pid: int) -> list[int]:
    found = children(pid)
    return found + [each for child in found for each in descendants(child)]


def gone(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


@contextmanager
def short_directory() -> Iterator[Path]:
    """Give a directory whose path leaves room for the name of a socket in it."""
    with tempfile.TemporaryDirectory(prefix="cdx-", dir="/tmp") as directory:
        yield Path(directory)


@pytest.fixture
def scratch() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with short_directory() as directory, running_demo(directory, "--workers", "1") as demo:
        yield demo


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_printed_curl_lines_work(demo: Demo):
    commands = [line for line in demo.commands("curl") if line.startswith("curl")]
    assert len(commands) == 2
    for command in commands:
        assert demo.url in command
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, timeout=20, check=True
        )
        told = re.findall(r'"(?:content|text)":\s*"([^"]*)"', done.stdout)
        assert "".join(told) == "hello there", done.stdout


@pytest.mark.client
def test_printed_claude_code_line_works(demo: Demo, tmp_path: Path):
    [line] = demo.commands("claude -p")
    assignments, _, arguments = line.partition(" claude -p ")
    environment = dict(each.split("=", 1) for each in assignments.split())
    prompt, *flags = shlex.split(arguments)
    assert flags == ["--allowedTools", "Bash"]
    run = ClaudeCode(
        tmp_path,
        environment["ANTHROPIC_BASE_URL"],
        environment["ANTHROPIC_AUTH_TOKEN"],
        environment["ANTHROPIC_MODEL"],
    ).ask(prompt)
    assert run.code == 0, run
    assert run.answer.startswith("DONE ")
    assert time.strftime("%Y") in run.answer


def test_ctrl_c_ends_it_at_once_and_leaves_nothing(scratch: Path):
    demo = Demo(scratch, "--workers", "1")
    processes = descendants(demo.popen.pid)
    assert len(processes) >= 3, "simulator, generation and worker"
    assert list(scratch.iterdir())
    started = time.monotonic()
    assert demo.stop(signal.SIGINT) == 0
    assert time.monotonic() - started < STOP_GRACE_S / 2
    assert list(scratch.iterdir()) == []
    wait_until(lambda: all(gone(pid) for pid in processes), "every process has ended")
    assert "Traceback" not in "\n".join(demo.lines)


def test_taken_port_and_settings_of_ones_own_do_no_harm(scratch: Path, scratch_home: Path):
    login = scratch_home / ".codexia" / "auth.json"
    login.parent.mkdir()
    login.write_text("mine")
    with socket.socket() as taken:
        with suppress(OSError):  # somebody else has it: then it is taken, too
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", DEFAULT_PORT))
            taken.listen()
        with running_demo(
            scratch,
            CODEXIA_API_KEY="my-own-key",
            CODEXIA_AUTH_FILE=str(login),
            CODEXIA_MODELS="none-of-theirs",
        ) as demo:
            assert not demo.url.endswith(f":{DEFAULT_PORT}")
            test_printed_curl_lines_work(demo)
    assert login.read_text() == "mine"
    assert list(login.parent.iterdir()) == [login]


def test_own_address_is_used(scratch: Path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        bind = f"127.0.0.1:{free.getsockname()[1]}"
    with running_demo(scratch, "--bind", bind, "--workers", "1") as demo:
        assert demo.url == f"http://{bind}"
