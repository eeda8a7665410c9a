"""A connection to each worker, so that each can be asked what it serves by."""

from __future__ import annotations

import http.client
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

DEADLINE_S = 20.0
TIMEOUT_S = 10.0


class WorkerConnections:
    """Kept-alive connections by the process id of the worker that has the other end.

    Workers share one listening socket, and which of them takes a connection is chance: so they
    are opened until each has one. Who holds the other end is in Linux's /proc.
    """

    def __init__(self, port: int, pids: Iterable[int]) -> None:
        """Connect to every one of these processes."""
        self._port = port
        self.by_pid: dict[int, http.client.HTTPConnection] = {}
        missing = set(pids)
        deadline = time.monotonic() + DEADLINE_S
        while missing:
            if time.monotonic() > deadline:
                raise TimeoutError(f"workers {missing} take no connection")
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
            connection.request("GET", "/health")
            connection.getresponse().read()
            pid = self._holder(connection, missing)
            if pid is None:
                connection.close()
            else:
                self.by_pid[pid] = connection
                missing.discard(pid)

    def get(self, pid: int, path: str, **headers: str) -> tuple[int, bytes]:
        """Return status and body of one worker's answer."""
        self.by_pid[pid].request("GET", path, headers=headers)
        reply = self.by_pid[pid].getresponse()
        return reply.status, reply.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self.by_pid.values():
            connection.close()

    def _holder(self, connection: http.client.HTTPConnection, pids: Iterable[int]) -> int | None:
        link = f"socket:[{self._inode(connection.sock.getsockname()[1])}]"
        return next((pid for pid in pids if link in _open_files(pid)), None)

    def _inode(self, client_port: int) -> str:
        """Return the inode of the server's end of a connection."""
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            ports = [int(fields[place].rpartition(":")[2], 16) for place in (1, 2)]
            if ports == [self._port, client_port]:
                return fields[9]
        return ""


def _open_files(pid: int) -> set[str]:
    links: set[str] = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed just now
            links.add(str(descriptor.readlink()))
    return links
