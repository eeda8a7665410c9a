"""A worker's calls to the supervisor, which outlast the change from one supervisor to the next."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from codexia.errors import SupervisorUnavailable
from codexia_workers.control_connection import (
    CallBroken,
    ControlReply,
    NotHeard,
    Patience,
    control_call,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

GAP_S: Final = 10.0
"""How long calls wait for the next supervisor. A service manager's has started after 3 s."""

RETRY_S: Final = 0.1


class SupervisorCalls:
    """The control API as workers use it.

    No connection is kept: one that the supervisor closes at its end could break a call of which
    nobody knows then whether it was heard.
    """

    def __init__(self, control_socket: str) -> None:
        self._control_socket = control_socket
        self._lost_at: float | None = None

    async def follow(self, path: str) -> AsyncGenerator[bytes]:
        """Yield the chunks of an answer that goes on for as long as the supervisor lives.

        Raises:
            OSError: it does not answer, or broke off.
        """
        async with control_call(self._control_socket, "GET", path, b"", Patience()) as reply:
            if reply.status != 200:
                raise CallBroken(f"the supervisor answered {reply.status}")
            self._lost_at = None
            try:
                async for chunk in reply.chunks():
                    yield chunk
            finally:
                self._lost_at = time.monotonic()

    async def call(
        self,
        method: str,
        path: str,
        content: bytes,
        timeout_s: float,
        *,
        repeatable: bool = False,
    ) -> tuple[int, bytes]:
        """Return status and body of a call.

        Args:
            method: of HTTP.
            path: with the query.
            content: of the body.
            timeout_s: of the call, without the wait for a supervisor that is being replaced.
            repeatable: as for `calling`.

        Raises:
            SupervisorUnavailable: it does not answer.
        """
        patience = Patience(total_s=timeout_s)
        async with self.calling(method, path, content, patience, repeatable=repeatable) as reply:
            return reply.status, await reply.read()

    @asynccontextmanager
    async def calling(
        self,
        method: str,
        path: str,
        content: bytes | AsyncIterable[bytes],
        patience: Patience,
        *,
        repeatable: bool = False,
    ) -> AsyncGenerator[ControlReply]:
        """Give the answer to a call, begun; both bodies may be streams.

        While the supervisor is being replaced the call waits for the next one. Once there was
        none for `GAP_S` it fails at once.

        Args:
            method: of HTTP.
            path: with the query.
            content: of the body.
            patience: with the call, without the wait.
            repeatable: whether a call may be made again whose answer got lost; any but a POST may.
                One that never reached the supervisor is always made again.

        Raises:
            SupervisorUnavailable: it does not answer, or stops in the middle.
        """
        # A stream cannot be sent a second time.
        repeatable = isinstance(content, bytes) and (repeatable or method != "POST")
        try:
            async with AsyncExitStack() as stack:
                yield await self._begun(stack, method, path, content, patience, repeatable)
        except OSError as error:
            what = path.partition("?")[0]
            raise SupervisorUnavailable(
                f"the supervisor is needed for this ({what}) and does not answer; try again"
            ) from error

    async def _begun(
        self,
        stack: AsyncExitStack,
        method: str,
        path: str,
        content: bytes | AsyncIterable[bytes],
        patience: Patience,
        repeatable: bool,
    ) -> ControlReply:
        patient_until = time.monotonic() + (patience.total_s or GAP_S)
        while True:
            call = control_call(self._control_socket, method, path, content, patience)
            try:
                return await stack.enter_async_context(call)
            except NotHeard:
                if not self._in_gap(patient_until):
                    raise
            except CallBroken:
                if not repeatable or not self._in_gap(patient_until):
                    raise
            await asyncio.sleep(RETRY_S)

    def _in_gap(self, patient_until: float) -> bool:
        now = time.monotonic()
        if self._lost_at is None:
            self._lost_at = now
        return now < min(self._lost_at + GAP_S, patient_until)
