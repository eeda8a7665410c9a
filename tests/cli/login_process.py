"""`codexia login` under way: the address it prints, what the browser makes of it, the paste."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.e2e.processes import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.processes import Simulator

PROMPT = "Redirect address: "
TERMINAL_LAUNCHER = (
    "import fcntl, os, sys, termios\n"
    "os.setsid()\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execv(sys.executable, [sys.executable, '-m', 'codexia', *sys.argv[1:]])\n"
)
"""Makes standard input the controlling terminal, so that Ctrl-C in it is a signal."""


class LoginProcess:
    """A login that waits for its browser, its paste or its approval.

    Attributes:
        output: everything it wrote so far, and what the terminal echoed.
    """

    def __init__(
        self,
        home: Path,
        simulator: Simulator,
        *flags: str,
        terminal: bool = False,
        **environment: str,
    ) -> None:
        self.output = ""
        self.terminal = terminal
        self._simulator = simulator
        environment = {
            **os.environ,
            "CODEXIA_HOME": str(home),
            "CODEXIA_OAUTH_ISSUER": simulator.url,
            "TERM": "xterm",
            # No browser of whoever runs the tests.
            "DISPLAY": "",
            "WAYLAND_DISPLAY": "",
            **environment,
        }
        if terminal:
            self._ours, theirs = pty.openpty()
            self.modes_before = termios.tcgetattr(theirs)
            start = ["-c", TERMINAL_LAUNCHER, "login", *flags]
            stdin = stdout = theirs
        else:
            self._ours, stdout = os.pipe()
            theirs = stdout
            start = ["-m", "codexia", "login", *flags]
            stdin = subprocess.PIPE
        self.popen = subprocess.Popen(
            [sys.executable, *start],
            env=environment,
            stdin=stdin,
            stdout=stdout,
            stderr=stdout,
            bufsize=0,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.popen.kill()
        self.popen.wait()
        self._reader.join()
        if self.popen.stdin:
            self.popen.stdin.close()
        os.close(self._ours)

    def _read(self) -> None:
        with suppress(OSError):  # a terminal that was left behind gives EIO
            while chunk := os.read(self._ours, 65536):
                self.output += chunk.decode(errors="replace")

    def wait_for(self, text: str) -> str:
        """Wait until it says that; return everything it wrote."""
        wait_until(lambda: text in self.output or self.popen.poll() is not None, text)
        assert text in self.output, self.output
        return self.output

    @property
    def address(self) -> str:
        """The address to open."""
        self.wait_for(PROMPT if self.terminal else "paste it here.")
        return next(line for line in self.output.split() if "/oauth/authorize?" in line)

    @property
    def state(self) -> str:
        """The state in that address."""
        return parse_qs(urlsplit(self.address).query)["state"][0]

    def browse(self) -> str:
        """Return the address that a browser ends on after the login."""
        reply = httpx.get(self.address, trust_env=False)
        assert reply.status_code == 302, reply.text
        return reply.headers["location"]

    def arrive(self, redirect: str, **headers: str) -> httpx.Response:
        """Return what a browser on this machine shows at the end of the login."""
        return httpx.get(redirect, headers=headers, trust_env=False, timeout=20)

    def modes(self) -> list[Any]:
        """The modes of the terminal."""
        return termios.tcgetattr(self._ours)

    def paste(self, text: str) -> None:
        """Enter a line."""
        self.type((text + ("\r" if self.terminal else "\n")).encode())

    def type(self, keys: bytes) -> None:
        """Send bytes as they are."""
        if self.terminal:
            while keys:
                keys = keys[os.write(self._ours, keys[:1024]) :]
        else:
            assert self.popen.stdin is not None
            self.popen.stdin.write(keys)

    def end_input(self) -> None:
        """Close the input."""
        if self.terminal:
            self.type(b"\x04")
        else:
            assert self.popen.stdin is not None
            self.popen.stdin.close()

    def finish(self) -> int:
        """Wait for the end and return the exit code."""
        code = self.popen.wait(20)
        if not self.terminal:
            self._reader.join(5)
        else:
            self._reader.join(1)
        return code

    @property
    def last_line(self) -> str:
        """The last thing it said."""
        return self.output.strip().splitlines()[-1].strip()
