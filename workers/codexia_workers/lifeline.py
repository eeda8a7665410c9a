"""A generation's own socket: how supervisors find it, and how its workers know that it lives.

Whoever connects gets one `GenerationHello` line, with the listening socket as ancillary data,
and then holds on: the end of the connection means that this process is gone. A supervisor that
was killed finds the generation here when it comes back. With no supervisor for
`ORPHANED_AFTER_S` the generation drains and exits by itself.

Workers connect too. They are told when the generation stops, and say when they are ready to.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codexia.control import GenerationHello
from codexia.peers import is_foreign
from codexia_workers.accepting import stop_accepting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from codexia.control import GenerationSpec

ORPHANED_AFTER_S: Final = 300.0
LEAVING: Final = b'{"leaving":true}\n'
WORKER: Final = b"w"
"""What a worker says after it connected, so that it is not counted as a supervisor."""

READY_TO_STOP: Final = b"r"
"""What a worker says once a signal to stop would break nothing."""


class Lifeline:
    """Serves the generation's socket from a thread of Granian's main process."""

    def __init__(self, spec: GenerationSpec, listener: socket.socket) -> None:
        self._hello = GenerationHello(
            generation=spec.generation,
            version=spec.version,
            workers=spec.workers,
            bind_host=spec.bind_host,
            bind_port=spec.bind_port,
            pid=os.getpid(),
        )
        self._listener = listener
        self._path = Path(spec.generation_socket)
        self._server = socket.socket(socket.AF_UNIX)
        # Listening before it has its name: a socket that refuses is taken for a dead one's.
        unnamed = self._path.with_suffix(f".{os.getpid()}")
        self._server.bind(str(unnamed))
        self._server.listen()
        self._server.setblocking(False)
        unnamed.rename(self._path)
        self._supervisors: set[socket.socket] = set()
        self._workers: set[socket.socket] = set()
        self._changed = threading.Condition()
        """Guards all that is said over connections, and what is known of them, also at a fork."""
        self._leaving = False
        self._orphaned_at = time.monotonic()
        os.register_at_fork(
            before=self._changed.acquire,
            after_in_parent=self._changed.release,
            after_in_child=self._let_go,
        )

    def start(self) -> None:
        """Serve until the process ends."""
        threading.Thread(target=self._serve, name="lifeline", daemon=True).start()

    def leave(self) -> None:
        """Tell everyone that this generation stops; return once the workers are ready to.

        The supervisor starts the next generation meanwhile.
        """
        with self._changed:
            self._leaving = True
            for connection in (*self._supervisors, *self._workers):
                _say(connection, LEAVING)
        # Or the address of a generation that has long streams to finish seems to be served.
        stop_accepting(str(self._path))
        with self._changed:
            self._changed.wait_for(lambda: not self._workers)

    def close(self) -> None:
        """Be found no more."""
        self._path.unlink(missing_ok=True)

    def _let_go(self) -> None:
        """Close in a worker what it got at its fork: its end must be the main process's end."""
        for each in (self._server, *self._supervisors, *self._workers):
            each.close()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._server, selectors.EVENT_READ)
            while True:
                ready = selector.select(None if self._supervisors else self._patience_s())
                for key, _ in ready:
                    if key.fileobj is self._server:
                        self._greet(selector)
                    elif isinstance(key.fileobj, socket.socket):
                        self._hear(selector, key.fileobj)
                if not self._supervisors and self._patience_s() == 0:
                    self._orphaned_at = time.monotonic()  # it was long enough once
                    os.kill(os.getpid(), signal.SIGTERM)

    def _patience_s(self) -> float:
        return max(0.0, self._orphaned_at + ORPHANED_AFTER_S - time.monotonic())

    def _greet(self, selector: selectors.BaseSelector) -> None:
        with self._changed:
            try:
                connection, _ = self._server.accept()
            except BlockingIOError:
                return  # it has gone again
            if is_foreign(connection) or not self._say_hello(connection):
                connection.close()
                return
            self._supervisors.add(connection)
        selector.register(connection, selectors.EVENT_READ)

    def _say_hello(self, connection: socket.socket) -> bool:
        hello = self._hello.model_copy(update={"leaving": self._leaving})
        line = hello.model_dump_json().encode() + b"\n"
        try:
            if self._leaving:
                connection.sendall(line)
            else:
                socket.send_fds(connection, [line], [self._listener.fileno()])
        except OSError:
            return False
        return True

    def _hear(self, selector: selectors.BaseSelector, connection: socket.socket) -> None:
        try:
            said = connection.recv(64)
        except OSError:
            said = b""
        with self._changed:
            if said.startswith(WORKER) or not said:
                self._supervisors.discard(connection)
                if not self._supervisors:
                    self._orphaned_at = time.monotonic()
            if said.startswith(WORKER):
                self._workers.add(connection)
                if self._leaving:
                    _say(connection, LEAVING)
            else:
                self._workers.discard(connection)
            self._changed.notify_all()
        if not said:
            selector.unregister(connection)
            connection.close()


def _say(connection: socket.socket, line: bytes) -> None:
    with suppress(OSError):
        connection.sendall(line)


async def exit_with(generation_socket: str, close_all: Callable[[], Awaitable[None]]) -> None:
    """Stop this worker with its generation.

    Without this a worker whose parent was killed would serve on beside its successors.

    Args:
        generation_socket: where the generation's main process greets.
        close_all: ends what a signal to stop would break off.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(generation_socket)
        try:
            writer.write(WORKER)
            await reader.readline()  # the greeting
            while await reader.readline():
                await close_all()
                writer.write(READY_TO_STOP)
        finally:
            writer.close()
    except OSError:
        pass
    await close_all()
    os.kill(os.getpid(), signal.SIGTERM)
