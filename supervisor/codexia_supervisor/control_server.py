"""The Unix socket that the control API is served on."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from codexia_supervisor.own_peers import OwnPeers

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp

logger = logging.getLogger("codexia.supervisor")

BACKLOG: Final = 1024
RESTART_S: Final = 1.0


class ControlServer:
    """Granian's embedded server, in the supervisor's own event loop.

    Measured with 2.8.7: 2 MB more memory, a chunk of `/watch` arrives when it is sent, a
    client that goes away is seen at once. It waits for open requests when it stops, so
    their handlers have to end first; then it stops in 2 ms.
    """

    def __init__(self, app: ASGIApp, path: Path) -> None:
        self._app = OwnPeers(app, path)
        self._path = path
        self._server: Server | None = None
        self._stopped = False

    async def run(self) -> None:
        """Serve until `stop`. The caller holds the instance lock, so what is there is stale."""
        while not self._stopped:
            with suppress(FileNotFoundError):
                self._path.unlink()
            self._server = Server(
                self._app,
                uds=self._path,
                interface=Interfaces.ASGINL,
                http=HTTPModes.http1,
                websockets=False,
                log_enabled=False,
                backlog=BACKLOG,
            )
            await self._server.serve()
            if not self._stopped:
                logger.error("control API ended by itself; started again")
                await asyncio.sleep(RESTART_S)

    def stop(self) -> None:
        """End `run`."""
        self._stopped = True
        if self._server is not None:
            self._server.stop()
