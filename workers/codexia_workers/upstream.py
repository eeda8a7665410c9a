"""The call to the Codex backend: open it, hold it until it is an answer, read it.

A reply counts as begun when its first content event is here. What goes wrong before that
is a real error with a real status, and may be tried again; nothing is ever sent twice after.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import aiohttp
import orjson

from codexia.codex.events import FAILED, TERMINAL, is_content
from codexia.codex.failures import TokenRejected, failure_of_event, failure_of_reply
from codexia.codex.request import without_reasoning
from codexia.codex.upstream import LIMITS_EVENT
from codexia.errors import (
    BadRequest,
    Overloaded,
    RateLimited,
    UpstreamError,
    UpstreamTimeout,
    UpstreamTruncated,
)
from codexia.sse import FrameSplitter
from codexia_workers.supervisor_calls import CONNECT_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from multidict import CIMultiDictProxy

    from codexia.codex.request import CodexRequest
    from codexia.sse import Frame
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

T = TypeVar("T")


class UpstreamReply:
    """A reply that has begun.

    Attributes:
        ahead: frames that were read before the reply counted as begun.
        complete: whether the terminal event has been read.
    """

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._splitter = FrameSplitter()
        self.ahead: list[Frame] = []
        self.complete = False
        self._limits: Frame | None = None

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The reply's headers."""
        return self._response.headers

    async def read(self) -> list[Frame]:
        """Return the frames of the next chunk, maybe none.

        Raises:
            UpstreamTruncated: the connection broke or ended before a terminal event.
            UpstreamTimeout: nothing came for `upstream_idle_timeout_s`.
        """
        try:
            chunk = await self._response.content.readany()
        except TimeoutError as error:
            raise UpstreamTimeout("the Codex backend stopped sending") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamTruncated("the connection to the Codex backend broke") from error
        if not chunk:
            raise UpstreamTruncated("the Codex backend closed the stream before its end")
        frames = self._splitter.feed(chunk)
        self.complete = self.complete or any(frame.event in TERMINAL for frame in frames)
        return frames

    async def hold(self) -> None:
        """Read ahead until the reply has begun.

        Raises:
            CodexiaError: the backend failed instead.
        """
        await check_status(self._response)
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
        self._response.close()

    async def release(self) -> None:
        """Give the connection back to the pool, if the backend ends the body as it should."""
        try:
            async with asyncio.timeout(RELEASE_GRACE_S):
                while await self._response.content.readany():
                    pass
        except (TimeoutError, aiohttp.ClientError, OSError):
            self._response.close()


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
        await reply.release()
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
) -> aiohttp.ClientResponse:
    """Return the backend's response, whatever its status; the caller closes it.

    Raises:
        UpstreamError: the backend cannot be reached, or says nothing.
    """
    idle_s = serving.snapshot.upstream_idle_timeout_s
    try:
        return await worker.http.post(
            url,
            data=orjson.dumps(body),
            headers=headers,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=idle_s
            ),
            allow_redirects=False,
            proxy=serving.proxy,
        )
    except aiohttp.ConnectionTimeoutError as error:
        raise UpstreamError("the Codex backend cannot be reached: connecting timed out") from error
    except TimeoutError as error:
        raise UpstreamTimeout("the Codex backend did not answer") from error
    except (aiohttp.ClientError, OSError) as error:
        raise UpstreamError(f"the Codex backend cannot be reached: {_reason(error)}") from error


async def check_status(response: aiohttp.ClientResponse) -> None:
    """Return if the backend took the request.

    Raises:
        CodexiaError: what its reply says instead.
    """
    if response.status != 200:
        body = b""
        try:
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > ERROR_BODY_LIMIT_BYTES:
                    break
        except (aiohttp.ClientError, OSError):
            logger.debug("the body of an error reply broke off")
        raise failure_of_reply(response.status, response.headers, body)


def _reason(error: Exception) -> str:
    """Return the operating system's word for it; aiohttp's own texts hold addresses."""
    cause = getattr(error, "os_error", error)
    return getattr(cause, "strerror", None) or type(error).__name__
