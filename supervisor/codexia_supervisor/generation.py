"""One generation of workers: its process, and the connection that shows that it lives."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import orjson
from pydantic import ValidationError

from codexia.control import GenerationHello, GenerationSpec
from codexia.processes import lives
from codexia_supervisor.child_environment import child_environment

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

STDERR: Final = 2
"""Standard output is for the one line that says where we listen."""

GREETING_TIMEOUT_S: Final = 1.0
MAX_LINE_BYTES: Final = 65536

_SOCKET_NAME = re.compile(r"generation-(\d+)\.sock")
_UNNAMED = re.compile(r"generation-\d+\.(\d+)")
"""A socket that its process, of that id, did not give its name yet."""


class NoGeneration(Exception):
    """Nobody greets on a generation's socket.

    Attributes:
        dead: whether the process that made the socket is certainly gone.
    """

    def __init__(self, reason: str, *, dead: bool = False) -> None:
        super().__init__(reason)
        self.dead = dead


class Lifeline:
    """The open connection to a generation; its end is the end of that process."""

    def __init__(self, connection: socket.socket, hello: GenerationHello) -> None:
        self.hello = hello
        self._connection = connection

    def follow(self, leaving: Callable[[], None], gone: Callable[[], None]) -> None:
        """Call back in the event loop when the generation says that it stops, and when it did."""
        loop = asyncio.get_running_loop()

        def hear() -> None:
            try:
                said = self._connection.recv(MAX_LINE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                said = b""
            if any(_is_leaving(line) for line in said.split(b"\n")):
                leaving()
            if not said:
                loop.remove_reader(self._connection)
                self._connection.close()
                gone()

        loop.add_reader(self._connection, hear)

    def close(self) -> None:
        """Let go of the generation."""
        if self._connection.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._connection)
            self._connection.close()


def socket_of(directory: Path, number: int) -> Path:
    """Return where a generation listens."""
    return directory / f"generation-{number}.sock"


def sockets_in(directory: Path) -> dict[int, Path]:
    """Return the generation sockets of a directory by number, dead ones too."""
    found = ((_SOCKET_NAME.fullmatch(path.name), path) for path in directory.iterdir())
    return {int(match[1]): path for match, path in found if match}


async def greet_all(
    directory: Path, known: Collection[int], *, remove_dead: bool = False
) -> list[tuple[Lifeline, socket.socket | None]]:
    """Return what `greet` does of every generation in a directory that is not known yet.

    Args:
        directory: of the sockets.
        known: numbers that are passed over.
        remove_dead: whether the sockets of dead generations go; only who has the instance
            lock, and no generation under way, may say so.
    """
    greeted: list[tuple[Lifeline, socket.socket | None]] = []
    for number, path in sorted(sockets_in(directory).items()):
        if number in known:
            continue
        try:
            greeted.append(await greet(path))
        except NoGeneration as absence:
            if absence.dead and remove_dead:
                path.unlink(missing_ok=True)
    if remove_dead:
        _remove_unnamed(directory)
    return greeted


def _remove_unnamed(directory: Path) -> None:
    """Remove what processes left that were killed before they gave their socket its name."""
    for path in list(directory.iterdir()):
        if (found := _UNNAMED.fullmatch(path.name)) and not lives(int(found[1])):
            path.unlink(missing_ok=True)


async def greet(path: Path) -> tuple[Lifeline, socket.socket | None]:
    """Return a connection to the generation at `path`, and its listening socket.

    One that stops already only finishes its streams and has none.

    Raises:
        NoGeneration: nobody is there, or nobody who speaks as a generation does.
    """
    loop = asyncio.get_running_loop()
    connection = socket.socket(socket.AF_UNIX)
    connection.setblocking(False)
    try:
        async with asyncio.timeout(GREETING_TIMEOUT_S):
            await loop.sock_connect(connection, str(path))
            await _readable(connection)
            said, descriptors, _, _ = socket.recv_fds(connection, MAX_LINE_BYTES, 4)
            inherited = [socket.socket(fileno=each) for each in descriptors]
            while not said.endswith(b"\n"):
                rest = await loop.sock_recv(connection, MAX_LINE_BYTES)
                if not rest:
                    break
                said += rest
        first, *others = said.split(b"\n")
        hello = GenerationHello.model_validate_json(first)
        if any(_is_leaving(line) for line in others):
            hello = hello.model_copy(update={"leaving": True})
        return Lifeline(connection, hello), None if hello.leaving else inherited[0]
    except (OSError, TimeoutError, ValidationError, IndexError) as error:
        connection.close()
        dead = isinstance(error, ConnectionRefusedError)
        raise NoGeneration(f"{path}: {type(error).__name__}", dead=dead) from error
    except BaseException:
        connection.close()
        raise


def spawn(
    command: Sequence[str],
    spec: GenerationSpec,
    listener: socket.socket,
    exited: Callable[[int], None],
) -> int:
    """Start a generation and return its pid.

    It leads a session of its own, so that Ctrl-C in a terminal reaches only the supervisor.

    Args:
        command: the program and its arguments.
        spec: what it reads from its standard input; the descriptor in it is filled in here.
        listener: inherited by it.
        exited: called in the event loop with the exit status.
    """
    loop = asyncio.get_running_loop()
    descriptor = listener.fileno()
    line = spec.model_copy(update={"listener_fd": descriptor}).model_dump_json().encode() + b"\n"
    process = subprocess.Popen(  # noqa: S603 - our own program
        command,
        stdin=subprocess.PIPE,
        stdout=STDERR,
        pass_fds=(descriptor,),
        env=child_environment(),
        start_new_session=True,
    )
    # Not asyncio's own subprocess: it kills the child when its loop closes, and a generation
    # has to outlive a supervisor that fails.
    threading.Thread(target=_feed_and_reap, args=(process, line, loop, exited), daemon=True).start()
    return process.pid


def send_signal(pid: int, number: signal.Signals, *, whole_session: bool = False) -> None:
    """Signal a generation's main process, or it and all its workers."""
    with suppress(ProcessLookupError):
        (os.killpg if whole_session else os.kill)(pid, number)


def _feed_and_reap(
    process: subprocess.Popen[bytes],
    line: bytes,
    loop: asyncio.AbstractEventLoop,
    exited: Callable[[int], None],
) -> None:
    process.communicate(line)
    try:
        loop.call_soon_threadsafe(exited, process.returncode)
    except RuntimeError:
        return  # the supervisor has ended before its child


def _is_leaving(line: bytes) -> bool:
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(message, dict) and message.get("leaving") is True  # pyright: ignore[reportUnknownMemberType]


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    readable = loop.create_future()
    loop.add_reader(connection, lambda: readable.done() or readable.set_result(None))
    try:
        await readable
    finally:
        loop.remove_reader(connection)
