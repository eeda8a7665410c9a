"""Lines of standard input, read while something else may come first."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from codexia.cli.line_editor import Edit, LineEditor

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

STDIN: Final = 0
CHUNK_BYTES: Final = 65536
FATAL_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class LineInput:
    """Gives the lines of standard input, one by one, and then None.

    Attributes:
        terminal: whether a person types there, whom one can ask again.
    """

    def __init__(self, received: Callable[[str | None], None]) -> None:
        """Read nothing until `reading`.

        Args:
            received: called in the event loop.
        """
        self._received = received
        self._usable = sys.stdin is not None  # pyright: ignore[reportUnnecessaryComparison] - None if closed
        self.terminal = self._usable and os.isatty(STDIN)
        if self.terminal:
            # A background job that reads the terminal is stopped.
            self._usable = self.terminal = os.tcgetpgrp(STDIN) == os.getpgrp()
        self._editor = LineEditor()

    @contextmanager
    def reading(self) -> Generator[None]:
        """Read for as long as the context lasts; the terminal is then as it was before."""
        if not self._usable:
            self._received(None)
            yield
            return
        loop = asyncio.get_running_loop()

        def read() -> None:
            # In a thread, since a regular file as input cannot be waited for. It is left behind
            # in its read when the command is done.
            with suppress(RuntimeError):  # the loop is closed by then
                while keys := _read():
                    loop.call_soon_threadsafe(self._take, keys)
                loop.call_soon_threadsafe(self._end)

        reader = threading.Thread(target=read, daemon=True)
        if not self.terminal:
            reader.start()
            yield
            return
        with _unedited(loop):
            reader.start()
            yield

    def _take(self, keys: bytes) -> None:
        edit = self._editor.feed(keys) if self.terminal else self._piped(keys)
        if edit.echo:
            show(edit.echo)
        for line in edit.lines:
            self._received(line)
        if edit.ended:
            self._received(None)

    def _piped(self, content: bytes) -> Edit:
        *lines, rest = (self._editor.line + content.decode(errors="replace")).split("\n")
        self._editor.line = rest
        return Edit(lines)

    def _end(self) -> None:
        if self._editor.line:
            self._received(self._editor.line)
        self._received(None)


def show(text: str) -> None:
    """Put text on the terminal as it is, also where standard output is not one."""
    stream = sys.stdout if sys.stdout.isatty() else sys.stderr
    stream.write(text)
    stream.flush()


def _read() -> bytes:
    try:
        return os.read(STDIN, CHUNK_BYTES)
    except OSError:  # the terminal is gone
        return b""


@contextmanager
def _unedited(loop: asyncio.AbstractEventLoop) -> Generator[None]:
    """Have the terminal pass keys on one by one, but for those that are signals."""
    before = termios.tcgetattr(STDIN)

    def set_unedited() -> None:
        mode = termios.tcgetattr(STDIN)
        mode[3] &= ~(termios.ICANON | termios.ECHO)
        termios.tcsetattr(STDIN, termios.TCSADRAIN, mode)

    def restore() -> None:
        with suppress(termios.error):
            termios.tcsetattr(STDIN, termios.TCSADRAIN, before)

    def die(number: int) -> None:
        restore()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    for number in FATAL_SIGNALS:
        loop.add_signal_handler(number, die, number)
    # A shell gives the terminal its own modes while this is stopped.
    loop.add_signal_handler(signal.SIGCONT, set_unedited)
    set_unedited()
    try:
        yield
    finally:
        restore()
        for number in (*FATAL_SIGNALS, signal.SIGCONT):
            loop.remove_signal_handler(number)
