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

from codexia.codex.events import TERMINAL
from codexia.codex.failures import TokenRejected, failure_of_reply
from codexia.codex.request import without_reasoning
from codexia.codex.runs import pieces_in
from codexia.errors import (
    BadRequest,
    CodexiaError,
    LoginRequired,
    Overloaded,
    UpstreamError,
    UpstreamTimeout,
    UpstreamTruncated,
)
from codexia.sse import FrameSplitter
from codexia_workers.access_log import UPSTREAM_ID_HEADER
from codexia_workers.connecting import NoConnection
from codexia_workers.connection import ConnectionBroken, Silence
from codexia_workers.draft import noted_call
from codexia_workers.reply import (
    BROKE,
    ENDED_EARLY,
    FELL_SILENT,
    NotByWebSocket,
    UpstreamReply,
)
from codexia_workers.request_record import record_of
from codexia_workers.serving import serving_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping

    from starlette.types import Scope

    from codexia.codex.request import CodexRequest
    from codexia.codex.runs import Piece
    from codexia_workers.connection import Connection
    from codexia_workers.pool import Pool
    from codexia_workers.reply import Take
    from codexia_workers.serving import Serving
    from codexia_workers.worker import Worker

logger = logging.getLogger("codexia.upstream")

MAX_RETRIES: Final = 2
RETRY_BASE_S: Final = 0.2
RELEASE_GRACE_S: Final = 0.25
ERROR_BODY_LIMIT_BYTES: Final = 256 * 1024

UNREACHABLE: Final = "upstream_unreachable"
"""Code where there was no connection at all, so that nothing was asked."""

T = TypeVar("T")


class HttpReply(UpstreamReply):
    """A reply that is the body of a POST's answer."""

    transport = "http"

    def __init__(self, connection: Connection, pool: Pool) -> None:
        super().__init__()
        self._connection = connection
        self._pool = pool
        self._splitter = FrameSplitter()
        self._stopped = False

    @property
    def headers(self) -> Mapping[str, str]:
        """As the base says."""
        return self._connection.headers

    async def read(self) -> list[Piece]:
        """Return as the base says; the pieces are those of the next chunk."""
        with told():
            chunk = await self._connection.read()
        if not chunk:
            raise UpstreamTruncated(ENDED_EARLY)
        return self._pieces(self._splitter.complete(chunk))

    async def pour(self, take: Take) -> None:
        """Hand on as the base says, called as `Connection.pour` calls."""
        failure: CodexiaError | None = None

        def hand_on(chunk: bytes) -> Awaitable[None] | None:
            nonlocal failure
            try:
                pieces = self._pieces(self._splitter.complete(chunk))
            except CodexiaError as error:
                failure = error
                self.stop_pouring()
                return None
            return take(pieces)

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

    def _pieces(self, events: bytes) -> list[Piece]:
        pieces = pieces_in(events)
        for piece in pieces:
            if not isinstance(piece, bytes) and piece.event in TERMINAL:
                self.end = piece
        return pieces

    async def _answered(self) -> list[Piece]:
        await check_status(self._connection)
        return []

    def cancel(self) -> None:
        """Drop the connection."""
        self._connection.close()

    async def release(self) -> None:
        """Give the connection back to the pool, if the backend ends the body as it should."""
        try:
            async with asyncio.timeout(RELEASE_GRACE_S):
                while await self._connection.read():
                    pass
        except (TimeoutError, ConnectionBroken):
            self._connection.close()
        else:
            self._pool.release(self._connection)


@asynccontextmanager
async def open_reply(
    worker: Worker, request: CodexRequest | None, scope: Scope
) -> AsyncGenerator[UpstreamReply | None]:
    """Give a reply that has begun, for as long as the context lasts; None for no request.

    A reply that is left before its terminal event is cancelled, since it costs quota.

    Args:
        worker: where it is served.
        request: for the backend.
        scope: of the client's request.

    Raises:
        CodexiaError: what the backend, or the lack of a login or of room, says to the caller.
    """
    if request is None:
        yield None
        return
    model = request.body["model"]
    async with admitted(worker, model, scope) as serving:
        begun_at = time.time()
        reply = await _begin(worker, request, serving)
        record = record_of(scope)
        record.upstream_id = reply.headers.get(UPSTREAM_ID_HEADER, "")
        record.transport = reply.transport
        try:
            with worker.observed.streaming():
                yield reply
        except BaseException:
            reply.cancel()
            raise
        finally:
            # Its own client is told by whoever serves it.
            worker.observed.failed(model, reply.failure(), begun_at)
        if reply.end is None:
            reply.cancel()
        else:
            await reply.release()


@asynccontextmanager
async def admitted(worker: Worker, model: str, scope: Scope) -> AsyncGenerator[Serving]:
    """Give what a request is served by once it may go to the backend, for as long as it is there.

    Raises:
        Forbidden: its local key is not for this model.
        RateLimited: the plan is known to let nothing through, so there is nothing to wait for.
        Crowded: its turn did not come.
    """
    serving, state = serving_of(scope, worker.serving), scope["state"]
    serving.check_model(state["key_name"], model)
    worker.serving.check_plan(model, time.time())
    timeout_s = serving.snapshot.queue_timeout_s
    async with worker.admission.slot(state["key_name"], timeout_s, batch=state.get("batch", False)):
        yield serving


async def _begin(worker: Worker, request: CodexRequest, serving: Serving) -> UpstreamReply:
    """Return a reply that has begun. Replayed reasoning that is not decrypted is left out once."""
    model, begun_at = request.body["model"], time.time()
    worker.serving.check_plan(model, begun_at)
    try:
        try:
            return await patiently(worker, lambda now: _attempt(worker, request, now), serving)
        except BadRequest as error:
            if error.code != "invalid_encrypted_content":
                raise
        stripped = without_reasoning(request)
        return await patiently(worker, lambda now: _attempt(worker, stripped, now), serving)
    except CodexiaError as error:
        worker.observed.failed(model, error, begun_at)
        raise


async def _attempt(worker: Worker, request: CodexRequest, serving: Serving) -> UpstreamReply:
    """Return a reply that has begun, by WebSocket where that is wanted and works."""
    if serving.wants_websocket(request.body["model"]):
        try:
            return await worker.sockets.ask(serving, request)
        except NotByWebSocket as error:
            logger.info("asking over HTTP: %s", error)
    headers = serving.upstream.responses_headers(serving.login(), request)
    url = serving.upstream.responses_url
    connection = await post(worker, serving, url, request.body, headers)
    reply = HttpReply(connection, worker.pool)
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

    A refused token is refreshed once; what comes after goes by the newest revision. A backend that
    fails by itself is asked again.

    Raises:
        CodexiaError: what the last attempt raised.
    """
    retries = 0
    refreshed = False
    while True:
        try:
            return await _counted(worker, attempt(serving))
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


async def _counted(worker: Worker, attempt: Awaitable[T]) -> T:
    try:
        return await attempt
    except CodexiaError as error:
        # That nobody is logged in is no failure of the backend.
        if type(error) is not LoginRequired:
            worker.observed.upstream_failed(error)
        raise


async def post(
    worker: Worker, serving: Serving, url: str, body: dict[str, Any], headers: dict[str, str]
) -> Connection:
    """Return a connection with the backend's answer, whatever its status; the caller closes it.

    Raises:
        UpstreamError: the backend cannot be reached, or says nothing.
    """
    silence_s = serving.snapshot.upstream_idle_timeout_s
    content = orjson.dumps(body)
    call = noted_call(url, headers, content)
    try:
        connection = await worker.pool.post(url, headers, content, silence_s, serving.proxy)
    except Silence as error:
        if call is not None:
            call.reply.over("silent")
        raise UpstreamTimeout("the Codex backend did not answer") from error
    except (NoConnection, ConnectionBroken) as error:
        code = UNREACHABLE if isinstance(error, NoConnection) else None
        raise UpstreamError(f"the Codex backend cannot be reached: {error}", code=code) from error
    if call is not None:
        connection.tell(call.answered(connection.status, connection.headers))
    return connection


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
        raise UpstreamTimeout(FELL_SILENT) from error
    except ConnectionBroken as error:
        raise UpstreamTruncated(BROKE) from error
