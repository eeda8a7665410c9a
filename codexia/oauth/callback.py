"""Where a browser on this host ends a login: a listener on loopback for one redirect.

The authority redirects to `localhost` at one of two ports, and browsers resolve that name to
IPv4 or IPv6. Only `GET /auth/callback` with our state ends the login; whatever else a browser,
another tab or a web page sends is answered and forgotten.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import asynccontextmanager, suppress
from secrets import compare_digest
from typing import TYPE_CHECKING, Final

from aiohttp import web

from codexia.oauth.authorize import CALLBACK_PORTS
from codexia.oauth.callback_page import Page, rejected
from codexia.oauth.redirect import LoginDeclined, RedirectRejected, code_of_redirect

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable

PATH: Final = "/auth/callback"
PAGE_SENT_S: Final = 2.0
"""How long the browser has to take its page once the command is done."""


class Callback:
    """The redirect of one login attempt.

    Attributes:
        port: where it is awaited.
    """

    def __init__(
        self,
        port: int,
        sockets: list[socket.socket],
        state: str,
        arrived: Callable[[str | LoginDeclined], None],
    ) -> None:
        self.port = port
        self.sockets = sockets
        self._hosts = {f"{name}:{port}" for name in ("localhost", "127.0.0.1", "[::1]")}
        self._state = state
        self._arrived = arrived
        self._page: asyncio.Future[Page] = asyncio.get_running_loop().create_future()

    def conclude(self, page: Page) -> None:
        """Show this to the browser that brought the redirect; only the first page counts."""
        if not self._page.done():
            self._page.set_result(page)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request of a browser, or of somebody else on this host."""
        if request.host not in self._hosts:
            # A web page can have its own name resolve to 127.0.0.1.
            return _plain(403, "this host name is not served here")
        if request.path != PATH:
            return _plain(404, "nothing is served here")
        if request.method != "GET":
            return _plain(405, "only GET is served here")
        return _response(await self._page_for(request))

    async def _page_for(self, request: web.BaseRequest) -> Page:
        if not compare_digest(request.query.get("state", "").encode(), self._state.encode()):
            return rejected(
                "This page belongs to another login attempt. Open the address that "
                "codexia login printed last."
            )
        try:
            self._arrived(code_of_redirect(request.rel_url.raw_query_string, self._state))
        except LoginDeclined as refusal:
            self._arrived(refusal)
        except RedirectRejected as refusal:
            return rejected(refusal.message)
        return await asyncio.shield(self._page)


@asynccontextmanager
async def awaited_callback(
    state: str,
    arrived: Callable[[str | LoginDeclined], None],
    ports: Iterable[int] = CALLBACK_PORTS,
) -> AsyncGenerator[Callback | None]:
    """Give the callback of a login attempt, None where no port could be had.

    Args:
        state: of the attempt.
        arrived: called with the code, or with why there is none; maybe more than once.
        ports: to try, in this order.
    """
    found = next(((port, sockets) for port in ports if (sockets := _bound(port))), None)
    if found is None:
        yield None
        return
    callback = Callback(*found, state, arrived)
    runner = web.ServerRunner(
        web.Server(callback.handle, access_log=None),  # the log would have the code in it
        shutdown_timeout=PAGE_SENT_S,
    )
    await runner.setup()
    try:
        for each in callback.sockets:
            await web.SockSite(runner, each).start()
        yield callback
    finally:
        callback.conclude(rejected("The command was ended. Run codexia login again."))
        await runner.cleanup()


def _bound(port: int) -> list[socket.socket]:
    """Return sockets at this port on both loopback addresses; none if another program has one.

    A browser may take either address, so half a port is no port. IPv6 may be missing.
    """
    sockets: list[socket.socket] = []
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            sockets.append(_socket_at(family, address, port))
        except OSError as error:
            if family == socket.AF_INET or error.errno == errno.EADDRINUSE:
                for each in sockets:
                    each.close()
                return []
    return sockets


def _socket_at(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            with suppress(OSError):
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((address, port))
        # Two sockets may be bound with the option above; only one of them can listen.
        opened.listen()
    except OSError:
        opened.close()
        raise
    return opened


def _response(page: Page) -> web.Response:
    headers = {
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Connection": "close",
    }
    return web.Response(
        status=page.status, text=page.html, content_type="text/html", headers=headers
    )


def _plain(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n", headers={"Connection": "close"})
