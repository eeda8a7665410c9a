"""HTTP as no client library would send it, over a raw socket."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

JSON = b"content-type: application/json\r\n"
QUESTION = b'{"model":"gpt-5.5","input":"SAY[[hi]]"}'
DEADLINE_S = 15.0


@dataclass(frozen=True)
class Reply:
    """Everything that came back.

    Attributes:
        closed: whether the other side closed the connection.
    """

    content: bytes
    closed: bool

    @property
    def statuses(self) -> list[int]:
        """The status of each answer."""
        parts = self.content.split(b"HTTP/1.")[1:]
        return [int(part.split()[1]) for part in parts]

    @property
    def head(self) -> bytes:
        """Status line and headers of the first answer, lower case."""
        return self.content.partition(b"\r\n\r\n")[0].lower()


class Connection:
    """One connection to a gateway."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=DEADLINE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, content: bytes) -> None:
        """Send bytes; a connection that was closed meanwhile shows in what is read."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(content)

    def reply(self, answers: int = 1, quiet_s: float = 0.3) -> Reply:
        """Return what comes: at least so many answers, until it closes or nothing more comes."""
        content, end = b"", time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            complete = content.count(b"HTTP/1.") >= answers and b"\r\n\r\n" in content
            self._socket.settimeout(quiet_s if complete else max(0.01, end - time.monotonic()))
            try:
                chunk = self._socket.recv(65536)
            except TimeoutError:
                break
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                return Reply(content, closed=True)
            content += chunk
        return Reply(content, closed=False)


def ask(url: str, request: bytes, answers: int = 1, quiet_s: float = 0.3) -> Reply:
    """Return what one connection's bytes are answered with."""
    with Connection(url) as connection:
        connection.send(request)
        return connection.reply(answers, quiet_s)


def get(path: bytes = b"/health", *headers: bytes, host: bytes = b"localhost") -> bytes:
    """Return a request without a body."""
    lines = [b"GET %b HTTP/1.1" % path, b"host: " + host, *headers, b"", b""]
    return b"\r\n".join(lines)


def post(*headers: bytes, body: bytes = QUESTION, path: bytes = b"/v1/responses") -> bytes:
    """Return a request with a body, whose length only the given headers tell."""
    lines = [b"POST %b HTTP/1.1" % path, b"host: localhost", JSON.strip(), *headers, b"", b""]
    return b"\r\n".join(lines) + body


def chunked(body: bytes = QUESTION, extension: bytes = b"") -> bytes:
    """Return a body as one chunk."""
    return b"%x%b\r\n%b\r\n0\r\n\r\n" % (len(body), extension, body)
