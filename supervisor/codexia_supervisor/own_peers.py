"""The control API is for processes of this user; whoever else is connected is cut off.

Granian accepts by itself and shows no connection. So each call looks at those that this process
holds: the caller's is among them, and most were looked at before.
"""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from codexia.errors import Forbidden, openai_envelope
from codexia.peers import is_foreign
from codexia_supervisor.control_calls import json_response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

logger = logging.getLogger("codexia.supervisor")


class OwnPeers:
    """Middleware that serves a call while every caller is of this user or of root.

    A descriptor and its inode name one connection; those that were seen are not looked at again.
    """

    def __init__(self, app: ASGIApp, path: Path) -> None:
        self._app = app
        self._path = str(path)
        self._seen: frozenset[tuple[int, int]] = frozenset()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call, or refuse it: over which connection it came is not known."""
        if self._cut_foreign():
            logger.error("cut off another user's process at %s", self._path)
            error = Forbidden("the control socket is for the user that the supervisor runs as")
            refusal = json_response(orjson.dumps(openai_envelope(error)), error.status)
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _cut_foreign(self) -> bool:
        held = frozenset(_descriptors())
        foreign = [number for number, _ in held - self._seen if self._is_foreign(number)]
        self._seen = held
        return bool(foreign)

    def _is_foreign(self, number: int) -> bool:
        try:
            connection = socket.socket(fileno=number)
        except OSError:
            return False
        try:
            ours = connection.family == socket.AF_UNIX and connection.getsockname() == self._path
            if not ours or not is_foreign(connection):
                return False
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # the listening socket has no peer, or the peer is gone
            return False
        finally:
            connection.detach()
        return True


def _descriptors() -> Iterator[tuple[int, int]]:
    for entry in Path("/dev/fd").iterdir():
        try:
            yield int(entry.name), os.fstat(int(entry.name)).st_ino
        except OSError:  # the directory's own, closed by now
            continue
