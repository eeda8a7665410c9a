"""How a worker stops accepting connections and goes on with those that it has.

Granian can only do both at once: at the signal to stop it drops connections that it has accepted
and not read from, requests on the way included. So a worker whose successors are ready
first puts another socket, which nobody can reach, under the number of its listening socket.
The kernel still wakes it for every new connection, and it finds none.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codexia.control import GenerationSpec, Snapshot


class Accepting:
    """Whether this worker takes new connections.

    Granian is not told, so what it accepts on cannot be taken back: a worker that is no longer
    to drain ends its generation instead, and the supervisor starts another.
    """

    def __init__(self, spec: GenerationSpec) -> None:
        self._spec = spec
        self._stopped = False

    def follow(self, snapshot: Snapshot) -> None:
        """Do what a snapshot says of this generation."""
        draining = snapshot.drain_before > self._spec.generation
        if self._stopped and not draining:
            _end_generation()
        # On an address that is given up nobody else accepts; there we do until the end.
        elif draining and _address(snapshot) == _address(self._spec.snapshot):
            self.stop()

    def stop(self) -> None:
        """Take no more connections."""
        if not self._stopped:
            self._stopped = True
            stop_accepting(self._spec.generation_socket)


def stop_accepting(generation_socket: str) -> None:
    """Take no more connections in this process; others that listen on the same socket do.

    Args:
        generation_socket: beside it is room for the name of another, for a moment.
    """
    name = Path(generation_socket).with_suffix(f".{os.getpid()}")
    listening = [number for number in _descriptors() if _is_listening(number)]
    with socket.socket(socket.AF_UNIX) as unreachable:
        unreachable.bind(str(name))
        unreachable.listen(1)
        name.unlink()
        unreachable.setblocking(False)
        for number in listening:
            os.dup2(unreachable.fileno(), number, inheritable=False)


def _end_generation() -> None:
    """Tell the main process to stop. An orphan has another parent, which may be any process."""
    main = multiprocessing.parent_process()
    if main is not None and main.pid is not None and main.pid == os.getppid():
        os.kill(main.pid, signal.SIGTERM)


def _address(snapshot: Snapshot) -> tuple[str, int]:
    return snapshot.bind_host, snapshot.bind_port


def _descriptors() -> list[int]:
    return [int(entry.name) for entry in Path("/dev/fd").iterdir()]


def _is_listening(number: int) -> bool:
    """Return whether a descriptor is of a TCP socket that connections are accepted on."""
    try:
        candidate = socket.socket(fileno=number)
    except OSError:
        return False
    try:
        internet = candidate.family in {socket.AF_INET, socket.AF_INET6}
        return internet and bool(candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    finally:
        candidate.detach()
