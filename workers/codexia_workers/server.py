"""Granian, on a listening socket that it did not open.

The only file that touches Granian's private names; `tests/e2e/test_listener.py` pins them. Each
generation of workers inherits one socket from the supervisor, so that a second program cannot
share the port by accident and a closing generation drops no queued connection. Granian's own
way is a socket per worker with SO_REUSEPORT.
"""

from __future__ import annotations

import gc
from functools import partial
from typing import TYPE_CHECKING, Final

from granian._granian import SocketHolder  # pyright: ignore[reportMissingModuleSource]
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from codexia_workers.app import create_app

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from codexia.control import GenerationSpec

BACKLOG: Final = 2048
BACKPRESSURE: Final = 4096
"""Connections that one worker serves at a time; Granian leaves the rest in the kernel's queue."""

GC_THRESHOLDS: Final = (10_000, 20, 20)
"""When workers look for garbage. With Python's own a tenth of a short stream's CPU time goes there."""

HEAD_TIMEOUT_MS: Final = 30_000
"""How long a request's line and headers may take; a connection may be idle as long."""


class GenerationServer(MPServer):
    """The main process of one generation: spawns the workers and replaces dead ones."""

    def __init__(
        self, spec: GenerationSpec, listener: socket.socket, on_leaving: Callable[[], None]
    ) -> None:
        super().__init__(
            "codexia_workers.app:create_app",
            address=spec.bind_host,
            port=spec.bind_port,
            interface=Interfaces.ASGI,
            workers=spec.workers,
            loop=Loops.uvloop,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=HEAD_TIMEOUT_MS),
            websockets=True,
            backlog=BACKLOG,
            backpressure=BACKPRESSURE,
            respawn_failed_workers=True,
            log_level=LogLevels.error,
            # What Granian logs goes the way of all other lines.
            log_dictconfig={"handlers": {}, "loggers": {"_granian": {"propagate": True}}},
        )
        self._spec = spec
        self._listener = listener
        self._on_leaving = on_leaving

    def run(self) -> None:
        """Serve until a signal, or until Granian gives its workers up."""
        # What is imported stays for ever: workers need not look through it for garbage again and
        # again, nor copy its pages by doing so. A stream makes hundreds of objects and hardly a cycle.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        self.serve(target_loader=partial(create_app, self._spec), wrap_loader=False)

    def _init_shared_socket(self) -> None:
        self._sso = None
        descriptor = self._listener.fileno()
        self._shd = SocketHolder(descriptor, False, BACKLOG)  # pyright: ignore[reportCallIssue]
        self._sfd = self._listener.fileno()

    def shutdown(self, exit_code: int = 0) -> None:
        """Drain the workers, once everyone was told and they closed their WebSockets.

        Granian itself drops a WebSocket when a worker is told to stop, whatever goes on in it.
        """
        self._on_leaving()
        self._listener.close()
        super().shutdown(exit_code)
