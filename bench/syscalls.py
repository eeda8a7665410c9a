"""The system calls of a process, seen by strace, by what they were made on.

A file descriptor is of one of these kinds:

| kind | what |
|---|---|
| `client` | connections that came in at the gateway's port |
| `upstream` | connections that go out to the backend |
| `unix` | Unix sockets: supervisor and lifeline |
| `file` | anything with a path |
| `pipe`, `event` | pipes; epoll, eventfd and the ring by which libuv changes epoll sets |
| `other`, `-` | any other descriptor; none |
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ATTACH_DEADLINE_S = 10.0
SHOWN_BYTES = 8
"""Of each buffer, in the trace: enough to tell the head of a response."""

SENDS = frozenset({"write", "writev", "pwrite64", "send", "sendto", "sendmsg", "sendmmsg"})
RECEIVES = frozenset({"read", "readv", "pread64", "recv", "recvfrom", "recvmsg", "recvmmsg"})

END_OF_BODY = b"0\r\n\r\n"

_CALL = re.compile(r"(?P<name>\w+)\((?:\d+<(?P<target>.*?)>(?=[,) ]|$))?")
_RESULT = re.compile(r"\s=\s(?P<result>\d+)$")
_SEVERAL_BUFFERS = re.compile(r"\], (?:[2-9]|\d\d+)\b")
_TCP = re.compile(r"TCP(?:v6)?:\[.*:(?P<local>\d+)->.*:(?P<remote>\d+)\]")
_EVENTS = ("anon_inode:[eventpoll]", "anon_inode:[eventfd]", "anon_inode:[io_uring]")


@dataclass(frozen=True, slots=True)
class Ports:
    """What tells the two sides of the gateway apart."""

    gateway: int
    backend: int

    def kind(self, target: str | None) -> str:
        """Return the kind of what strace shows for a descriptor."""
        if target is None:
            return "-"
        if tcp := _TCP.match(target):
            sides = {int(tcp["local"]): "client", int(tcp["remote"]): "upstream"}
            return sides.get(self.gateway) or sides.get(self.backend) or "other"
        if target.startswith(_EVENTS):
            return "event"
        return next((kind for start, kind in _STARTS.items() if target.startswith(start)), "other")


_STARTS = {"UNIX": "unix", "pipe:": "pipe", "/": "file"}


@dataclass(slots=True)
class Calls:
    """Calls by kind of descriptor and name.

    Attributes:
        made: all of them.
        moved: those that read or wrote at least one byte.
        heads: sends to clients of nothing but a response's head.
        ends: sends to clients of nothing but the chunk that ends a body.
    """

    made: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    moved: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])

    heads: int = 0
    ends: int = 0

    @classmethod
    def of(cls, lines: Iterable[str], ports: Ports) -> Calls:
        """Return the calls in the output of `strace -f -yy`."""
        calls = cls()
        begun: dict[str, tuple[tuple[str, str], str]] = {}
        for line in lines:
            thread, _, text = line.strip().partition(" ")
            text = text.strip()
            if text.startswith("<... "):
                if thread in begun:
                    key, first_half = begun.pop(thread)
                    calls._count(key, first_half + text)
            elif match := _CALL.match(text):
                key = ports.kind(match["target"]), match["name"]
                if text.endswith("<unfinished ...>"):
                    begun[thread] = key, text.removesuffix("<unfinished ...>")
                else:
                    calls._count(key, text)
        return calls

    def data(self, kind: str, names: frozenset[str]) -> int:
        """Return how many calls of these names moved data on that kind of descriptor."""
        return sum(count for key, count in self.moved.items() if key[0] == kind and key[1] in names)

    def named(self, *parts: str) -> int:
        """Return how many calls have one of these parts in their name."""
        return sum(
            count for (_, name), count in self.made.items() if any(part in name for part in parts)
        )

    def _count(self, key: tuple[str, str], text: str) -> None:
        self.made[key] += 1
        result = _RESULT.search(text)
        if result is None or not int(result["result"]):
            return
        self.moved[key] += 1
        kind, name = key
        if kind == "client" and name in SENDS and not _SEVERAL_BUFFERS.search(text):
            self.heads += '"HTTP/1.1' in text
            self.ends += int(result["result"]) == len(END_OF_BODY)


class Strace:
    """strace attached to all threads of one process."""

    def __init__(self, pid: int, output: Path) -> None:
        self._pid = pid
        self._output = output
        self._popen: subprocess.Popen[bytes] | None = None

    @staticmethod
    def is_installed() -> bool:
        """Return whether there is one on the path."""
        return shutil.which("strace") is not None

    def attach(self) -> None:
        """Begin; every thread is watched when this returns.

        Raises:
            PermissionError: this user may not trace the process.
        """
        options = ["-f", "-qq", "-yy", "-s", str(SHOWN_BYTES), "-e", "signal=none"]
        self._popen = subprocess.Popen(
            ["strace", *options, "-o", str(self._output), "-p", str(self._pid)],
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + ATTACH_DEADLINE_S
        while not self._watches_all():
            if self._popen.poll() is not None or time.monotonic() > end:
                self.detach()
                raise PermissionError("strace cannot attach to the worker; try as root")
            time.sleep(0.01)

    def detach(self) -> None:
        """End; the process runs on."""
        if self._popen is not None and self._popen.poll() is None:
            self._popen.send_signal(signal.SIGTERM)
            self._popen.wait(ATTACH_DEADLINE_S)

    def calls(self, ports: Ports) -> Calls:
        """Return what was seen."""
        with self._output.open() as lines:
            return Calls.of(lines, ports)

    def _watches_all(self) -> bool:
        statuses = [path.read_text() for path in Path(f"/proc/{self._pid}/task").glob("*/status")]
        return all("TracerPid:\t0\n" not in status for status in statuses)
