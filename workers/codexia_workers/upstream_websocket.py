"""Requests over WebSockets to the backend: which socket, what of the request, and what if not.

A socket belongs to one conversation and carries one response at a time. A request that goes on
from a socket's last response sends only what is new (`codexia.codex.incremental`); any other is
sent whole. Whatever keeps a request from its first event leads to HTTP:

    upgrade refused with 426        HTTP for an hour
    upgrade failed twice            HTTP for some minutes
    fresh socket closed at once     HTTP for some minutes, this request included
    message over 16 MiB, or 1009    this request by HTTP
    response forgotten              the same socket, the request whole
    socket expired, or was closed   another socket, the request whole
    more at once than sockets       this request by HTTP

After the first event nothing is sent a second time.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

import aiohttp
import orjson

from codexia.codex.failures import TokenRejected
from codexia.codex.incremental import Conversation
from codexia.codex.websocket import MAX_MESSAGE_BYTES, TOO_BIG, create_message
from codexia_workers.reply import NotByWebSocket
from codexia_workers.websocket_reply import (
    BackendSocket,
    Expired,
    Forgotten,
    SocketClosed,
    SocketReply,
    Upgraded,
    open_socket,
)

if TYPE_CHECKING:
    from codexia.codex.incremental import Known
    from codexia.codex.request import CodexRequest
    from codexia_workers.observations import Observations
    from codexia_workers.serving import Serving

logger = logging.getLogger("codexia.upstream")

CONNECT_TIMEOUT_S: Final = 15.0
IDLE_S: Final = 300.0
AGE_S: Final = 55 * 60.0
SOCKETS_OF_A_CONVERSATION: Final = 4
MAX_IDLE_SOCKETS: Final = 64
"""Each holds up to 300 kB for compression."""

REFUSED_S: Final = 3600.0
FAILED_S: Final = 300.0

MAX_ROUNDS: Final = 4
"""No request goes through all that can happen to it, but nothing else says so."""

Key = tuple[str, int | None, str]
"""Address, login and conversation; a socket is opened in the name of all three."""


class Sockets:
    """The WebSockets of one worker."""

    def __init__(self, observed: Observations) -> None:
        """Open none yet; `observed` is told what the backend says of limits."""
        self._observed = observed
        self._session: aiohttp.ClientSession | None = None
        self._idle: dict[Key, list[BackendSocket]] = {}
        self._open: Counter[Key] = Counter()
        self._http_until: dict[str, float] = {}
        self._sweeping: asyncio.TimerHandle | None = None

    async def close(self) -> None:
        """Close every socket."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        for sockets in tuple(self._idle.values()):
            for socket in tuple(sockets):
                self._drop(socket)
        if self._session is not None:
            await self._session.close()

    async def ask(self, serving: Serving, request: CodexRequest) -> SocketReply:
        """Return a reply that has begun.

        Raises:
            NotByWebSocket: no event of it came, and it may be asked for over HTTP.
            CodexiaError: what the backend says instead.
        """
        url = serving.upstream.responses_url
        if self._http_until.get(url, 0) > asyncio.get_running_loop().time():
            raise NotByWebSocket("WebSockets did not work just now")
        key = url, serving.login_revision, request.session_key
        for _ in range(MAX_ROUNDS):
            conversation = Conversation(request.body, self._known(key))
            socket = self._kept(key, conversation)
            covered, content = _message(request, conversation, socket)
            if len(content) > MAX_MESSAGE_BYTES:
                if socket is not None:
                    self._keep(socket)
                raise NotByWebSocket("the request is over 16 MiB")
            if socket is None:
                socket = await self._fresh(serving, request, key)
            silence_s = serving.snapshot.upstream_idle_timeout_s
            reply = SocketReply(socket, conversation, silence_s, self._keep, self._drop)
            if await self._begun(reply, content, covered):
                return reply
        raise NotByWebSocket("no socket lasts")

    async def _begun(self, reply: SocketReply, content: bytes, covered: int) -> bool:
        """Return whether a reply has begun, or else another socket or the whole request may do."""
        try:
            await reply.ask(content)
        except Forgotten:
            if not covered:
                reply.cancel()
                raise
            self._keep(reply.socket)
            return False
        except Expired:
            reply.cancel()
            return False
        except SocketClosed as closed:
            reply.cancel()
            if not closed.unanswered:
                raise
            if closed.close_code == TOO_BIG:
                raise NotByWebSocket("the backend finds the request too big") from closed
            if reply.first:
                self._fall_back(reply.socket.key[0], FAILED_S)
                raise NotByWebSocket("a fresh socket was closed") from closed
            return False
        except BaseException:
            reply.cancel()
            raise
        finally:
            if reply.ahead:
                self._observed.replied(reply)
        return True

    def _known(self, key: Key) -> list[Known]:
        return [socket.known for socket in self._idle.get(key, ()) if socket.known]

    def _kept(self, key: Key, conversation: Conversation) -> BackendSocket | None:
        """Return the idle socket that is best for a request, None where a fresh one is.

        One that the request does not go on from is left to whoever does, unless it looks like
        this conversation's own, which was edited, or no more may be opened.
        """
        sockets = self._idle.get(key, [])
        for socket in tuple(sockets):
            if not socket.good:
                sockets.remove(socket)
                self._drop(socket)

        def fitness(socket: BackendSocket) -> tuple[int, bool, bool]:
            known = socket.known
            own = known is not None and known.fields == conversation.fields
            return conversation.covered(known), known is None, own

        best = max(sockets, key=fitness, default=None)
        if best is None:
            return None
        if not any(fitness(best)) and self._open[key] < SOCKETS_OF_A_CONVERSATION:
            return None
        sockets.remove(best)
        return best

    async def _fresh(self, serving: Serving, request: CodexRequest, key: Key) -> BackendSocket:
        if self._open[key] >= SOCKETS_OF_A_CONVERSATION:
            raise NotByWebSocket("the conversation has no socket free")
        headers = serving.upstream.websocket_headers(serving.login(), request)
        self._open[key] += 1
        try:
            for attempt in (1, 2):
                try:
                    async with asyncio.timeout(CONNECT_TIMEOUT_S):
                        ws = await open_socket(self._client(), key[0], headers, serving.proxy)
                    return BackendSocket(ws, key, AGE_S)
                except aiohttp.WSServerHandshakeError as error:
                    self._check_refusal(key[0], error, last=attempt == 2)
                except TimeoutError as error:
                    self._fall_back(key[0], FAILED_S)
                    raise NotByWebSocket("opening a WebSocket timed out") from error
                except (aiohttp.ClientError, OSError) as error:
                    if attempt == 2:
                        self._fall_back(key[0], FAILED_S)
                        raise NotByWebSocket("a WebSocket cannot be opened") from error
        except BaseException:
            self._closed(key)
            raise
        raise AssertionError  # the second attempt returns or raises

    def _check_refusal(
        self, url: str, error: aiohttp.WSServerHandshakeError, *, last: bool
    ) -> None:
        """Return if a refused upgrade may be tried again.

        Raises:
            TokenRejected: the login was refused.
            NotByWebSocket: it may not.
        """
        if error.status == 401:
            raise TokenRejected("the access token was refused") from error
        if error.status == 426:
            self._fall_back(url, REFUSED_S)
        elif last:
            self._fall_back(url, FAILED_S)
        else:
            return
        raise NotByWebSocket(f"the upgrade was answered {error.status}") from error

    def _fall_back(self, url: str, for_s: float) -> None:
        self._http_until[url] = asyncio.get_running_loop().time() + for_s

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                ws_response_class=Upgraded,
            )
        return self._session

    def _keep(self, socket: BackendSocket) -> None:
        """Let the conversation's next request have a socket."""
        if not socket.good:
            self._drop(socket)
            return
        loop = asyncio.get_running_loop()
        socket.idle_until = loop.time() + IDLE_S
        self._idle.setdefault(socket.key, []).append(socket)
        idle = [each for sockets in self._idle.values() for each in sockets]
        if len(idle) > MAX_IDLE_SOCKETS:
            self._forget(min(idle, key=lambda each: each.idle_until))
        if self._sweeping is None:
            self._sweeping = loop.call_later(IDLE_S / 5, self._sweep)

    def _forget(self, socket: BackendSocket) -> None:
        sockets = self._idle[socket.key]
        sockets.remove(socket)
        if not sockets:
            del self._idle[socket.key]
        self._drop(socket)

    def _sweep(self) -> None:
        """Close what was idle for too long, or is too old."""
        loop = asyncio.get_running_loop()
        for socket in [each for sockets in self._idle.values() for each in sockets]:
            if not socket.good or socket.idle_until <= loop.time():
                self._forget(socket)
        self._idle = {key: sockets for key, sockets in self._idle.items() if sockets}
        self._sweeping = loop.call_later(IDLE_S / 5, self._sweep) if self._idle else None

    def _drop(self, socket: BackendSocket) -> None:
        if socket.abort():
            self._closed(socket.key)

    def _closed(self, key: Key) -> None:
        self._open[key] -= 1
        if not self._open[key]:
            del self._open[key]


def _message(
    request: CodexRequest, conversation: Conversation, socket: BackendSocket | None
) -> tuple[int, bytes]:
    """Return what to send over a socket, None for a fresh one, and how much it leaves out."""
    known = socket.known if socket is not None else None
    covered = conversation.covered(known)
    previous_id = known.response_id if known is not None else ""
    return covered, orjson.dumps(create_message(request, covered, previous_id))
