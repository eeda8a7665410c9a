"""The call to the Codex backend: open it, hold it until it is an answer, read it.

A reply counts as begun when its first content event is here. What goes wrong before that
is a real error with a real status, and may be tried again; nothing is ever sent twice after.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson

from codexia.codex.events import FAILED, TERMINAL, is_content
from codexia.codex.failures import TokenRejected, failure_of_event, failure_of_reply
from codexia.codex.request import without_reasoning
from codexia.codex.upstream import LIMITS_EVENT
from codexia.errors import (
    BadRequest,
    CodexiaError,
    Overloaded,
    RateLimited,
    UpstreamError,
    UpstreamTimeout,
    UpstreamTruncated,
)
from codexia.sse import FrameSplitter
from codexia_workers.connecting import NoConnection
from codexia_workers.connection import ConnectionBroken, Silence

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping

    from codexia.codex.request import CodexRequest
    from codexia.sse import Frame
    from codexia_workers.connection import Connection
    from codexia_workers.pool import Pool
    from codexia_workers.serving import Serving
    from codexia_workers.worker import Worker

logger = logging.getLogger("codexia.upstream")

MAX_RETRIES: Final = 2
RETRY_BASE_S: Final = 0.2
HOLD_LIMIT_S: Final = 30.0
"""Longest wait for content after the backend's status line. Then the client gets its status line,
because many clients and proxies give up after 60 s without one."""

RELEASE_GRACE_S: Final = 0.25
ERROR_BODY_LIMIT_BYTES: Final = 256 * 1024

ENDED_EARLY: Final = "the Codex backend closed the stream before its end"

T = TypeVar("T")


class UpstreamReply:
    """A reply that has begun.

    Attributes:
        ahead: frames that were read before the reply counted as begun.
        complete: whether the terminal event has been read.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._splitter = FrameSplitter()
        self._stopped = False
        self.ahead: list[Frame] = []
        self.complete = False
        self._limits: Frame | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """The reply's headers."""
        return self._connection.headers

    async def read(self) -> list[Frame]:
        """Return the frames of the next chunk, maybe none.

        Raises:
            UpstreamTruncated: the connection broke or ended before a terminal event.
            UpstreamTimeout: nothing came for `upstream_idle_timeout_s`.
        """
        with told():
            chunk = await self._connection.read()
        if not chunk:
            raise UpstreamTruncated(ENDED_EARLY)
        return self._frames(chunk)

    async def pour(self, take: Callable[[list[Frame]], Awaitable[None] | None]) -> None:
        """Hand the frames of each further chunk to `take`, until `stop_pouring`.

        Args:
            take: called as `Connection.pour` calls.

        Raises:
            UpstreamTruncated: the connection broke or ended before a terminal event.
            UpstreamTimeout: nothing came for `upstream_idle_timeout_s`.
        """
        failure: CodexiaError | None = None

        def hand_on(chunk: bytes) -> Awaitable[None] | None:
            nonlocal failure
            try:
                frames = self._frames(chunk)
            except CodexiaError as error:
                failure = error
                self.stop_pouring()
                return None
            return take(frames)

        with told():
            await self._connection.pour(hand_on)
        if failure is not None:
            raise failure
        if not self._stopped:
            raise UpstreamTruncated(ENDED_EARLY)

    def stop_pouring(self) -> None:
        """Let `pour` return."""
        self._stopped = True
        self._connection.stop_pouring()

    def _frames(self, chunk: bytes) -> list[Frame]:
        frames = self._splitter.feed(chunk)
        self.complete = self.complete or any(frame.event in TERMINAL for frame in frames)
        return frames

    async def hold(self) -> None:
        """Read ahead until the reply has begun.

        Raises:
            CodexiaError: the backend failed instead.
        """
        await check_status(self._connection)
        try:
            async with asyncio.timeout(HOLD_LIMIT_S):
                while True:
                    frames = await self.read()
                    self.ahead += frames
                    for frame in frames:
                        if frame.event == LIMITS_EVENT:
                            self._limits = frame
                        if frame.event in FAILED:
                            raise failure_of_event(frame.json(), self.headers)
                        if is_content(frame.event):
                            return
        except TimeoutError:
            return

    def limits_event(self) -> dict[str, Any]:
        """Return what the backend said of limits before any content; empty if it said nothing."""
        try:
            return self._limits.json() if self._limits else {}
        except UpstreamTruncated:
            return {}

    def cancel(self) -> None:
        """Drop the connection, which tells the backend to stop generating."""
        self._connection.close()

    async def release(self, pool: Pool) -> None:
        """Give the connection back to the pool, if the backend ends the body as it should."""
        try:
            async with asyncio.timeout(RELEASE_GRACE_S):
                while await self._connection.read():
                    pass
        except (TimeoutError, ConnectionBroken):
            self._connection.close()
        else:
            pool.release(self._connection)


@asynccontextmanager
async def open_reply(
    worker: Worker, request: CodexRequest | None, serving: Serving | None = None
) -> AsyncGenerator[UpstreamReply | None]:
    """Give a reply that has begun, for as long as the context lasts; None for no request.

    A reply that is left before its terminal event is cancelled, since it costs quota.

    Args:
        worker: where it is served.
        request: for the backend.
        serving: of the client's request, if that began earlier.

    Raises:
        CodexiaError: what the backend, or the lack of a login, says to the caller.
    """
    if request is None:
        yield None
        return
    reply = await _begin(worker, request, serving or worker.serving)
    try:
        with worker.observed.streaming():
            yield reply
    except BaseException:
        reply.cancel()
        raise
    if reply.complete:
        await reply.release(worker.pool)
    else:
        reply.cancel()


async def _begin(worker: Worker, request: CodexRequest, serving: Serving) -> UpstreamReply:
    """Return a reply that has begun. Replayed reasoning that is not decrypted is left out once."""
    model = request.body["model"]
    worker.serving.check_plan(model, time.time())
    try:
        try:
            return await patiently(worker, lambda now: _attempt(worker, request, now), serving)
        except BadRequest as error:
            if error.code != "invalid_encrypted_content":
                raise
        stripped = without_reasoning(request)
        return await patiently(worker, lambda now: _attempt(worker, stripped, now), serving)
    except RateLimited as error:
        worker.observed.refused(model, error.timed(time.time()))
        raise


async def _attempt(worker: Worker, request: CodexRequest, serving: Serving) -> UpstreamReply:
    headers = serving.upstream.responses_headers(serving.login(), request)
    url = serving.upstream.responses_url
    reply = UpstreamReply(await post(worker, serving, url, request.body, headers))
    try:
        await reply.hold()
    except BaseException:
        reply.cancel()
        raise
    finally:
        worker.observed.replied(reply)
    return reply


async def patiently(
    worker: Worker,
    attempt: Callable[[Serving], Awaitable[T]],
    serving: Serving,
    max_retries: int = MAX_RETRIES,
) -> T:
    """Return what an attempt gives, after as many as make sense.

    A refused token is refreshed once; what comes after goes by the newest revision. A backend that fails by itself is asked again.

    Raises:
        CodexiaError: what the last attempt raised.
    """
    retries = 0
    refreshed = False
    while True:
        try:
            return await attempt(serving)
        except TokenRejected:
            if refreshed:
                raise
            refreshed = True
            await worker.refresh_login(serving.login_revision)
            serving = worker.serving
        except UpstreamTimeout:
            raise
        except (UpstreamError, Overloaded) as error:
            if retries == max_retries:
                raise
            logger.info("retrying after: %s", error)
            await asyncio.sleep(RETRY_BASE_S * 2**retries)
            retries += 1


async def post(
    worker: Worker, serving: Serving, url: str, body: dict[str, Any], headers: dict[str, str]
) -> Connection:
    """Return a connection with the backend's answer, whatever its status; the caller closes it.

    Raises:
        UpstreamError: the backend cannot be reached, or says nothing.
    """
    silence_s = serving.snapshot.upstream_idle_timeout_s
    content = orjson.dumps(body)
    try:
        return await worker.pool.post(url, headers, content, silence_s, serving.proxy)
    except Silence as error:
        raise UpstreamTimeout("the Codex backend did not answer") from error
    except (NoConnection, ConnectionBroken) as error:
        raise UpstreamError(f"the Codex backend cannot be reached: {error}") from error


async def check_status(connection: Connection) -> None:
    """Return if the backend took the request.

    Raises:
        CodexiaError: what its reply says instead.
    """
    if connection.status != 200:
        body = b""
        try:
            while len(body) <= ERROR_BODY_LIMIT_BYTES and (chunk := await connection.read()):
                body += chunk
        except ConnectionBroken:
            logger.debug("the body of an error reply broke off")
        raise failure_of_reply(connection.status, connection.headers, body)


@contextmanager
def told() -> Generator[None]:
    """Tell what happens to a connection in the words of the backend's failures."""
    try:
        yield
    except Silence as error:
        raise UpstreamTimeout("the Codex backend stopped sending") from error
    except ConnectionBroken as error:
        raise UpstreamTruncated("the connection to the Codex backend broke") from error
