"""A worker's calls to the supervisor, which outlast the change from one supervisor to the next."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import aiohttp

from codexia.errors import SupervisorUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

CONNECT_TIMEOUT_S: Final = 15.0
GAP_S: Final = 10.0
"""How long calls wait for the next supervisor. A service manager's has started after 3 s."""

RETRY_S: Final = 0.1


class SupervisorCalls:
    """The control API as workers use it."""

    def __init__(self, control_socket: str) -> None:
        self._control_socket = control_socket
        self._lost_at: float | None = None
        self._http: aiohttp.ClientSession

    async def __aenter__(self) -> SupervisorCalls:
        self._http = aiohttp.ClientSession(
            # No connection is kept: one that the supervisor closes at its end could break a
            # call of which nobody knows then whether it was heard.
            connector=aiohttp.UnixConnector(self._control_socket, limit=0, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def follow(self, path: str) -> AsyncGenerator[bytes]:
        """Yield the chunks of an answer that goes on for as long as the supervisor lives.

        Raises:
            aiohttp.ClientError: it does not answer, or broke off.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S)
        async with self._http.get(f"http://supervisor{path}", timeout=timeout) as reply:
            reply.raise_for_status()
            self._lost_at = None
            try:
                async for chunk in reply.content.iter_any():
                    yield chunk
            finally:
                self._lost_at = time.monotonic()

    @asynccontextmanager
    async def calling(
        self,
        method: str,
        path: str,
        content: bytes | AsyncIterable[bytes],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - of aiohttp
        *,
        repeatable: bool,
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """Give the answer to a call, begun; both bodies may be streams.

        While the supervisor is being replaced the call waits for the next one. Once there was
        none for `GAP_S` it fails at once.

        Args:
            method: of HTTP.
            path: with the query.
            content: of the body.
            timeout: of the call, without the wait.
            repeatable: whether a call may be made again whose answer got lost. One that never
                reached the supervisor is always made again.

        Raises:
            SupervisorUnavailable: it does not answer, or stops in the middle.
        """
        try:
            async with await self._begun(method, path, content, timeout, repeatable) as reply:
                yield reply
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            what = path.partition("?")[0]
            raise SupervisorUnavailable(
                f"the supervisor is needed for this ({what}) and does not answer; try again"
            ) from error

    async def _begun(
        self,
        method: str,
        path: str,
        content: bytes | AsyncIterable[bytes],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - of aiohttp
        repeatable: bool,
    ) -> aiohttp.ClientResponse:
        patient_until = time.monotonic() + (timeout.total or GAP_S)
        while True:
            try:
                return await self._http.request(
                    method,
                    f"http://supervisor{path}",
                    data=content,
                    headers={"content-type": "application/json"},
                    timeout=timeout,
                )
            except aiohttp.ClientConnectorError:
                if not self._in_gap(patient_until):
                    raise
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if not repeatable or not self._in_gap(patient_until):
                    raise
            await asyncio.sleep(RETRY_S)

    def _in_gap(self, patient_until: float) -> bool:
        now = time.monotonic()
        if self._lost_at is None:
            self._lost_at = now
        return now < min(self._lost_at + GAP_S, patient_until)
