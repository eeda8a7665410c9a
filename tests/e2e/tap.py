"""A pass-through before the gateway that keeps what a client sends, as it was on the wire."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

BODY_LIMIT_BYTES = 64 << 20
OF_ONE_CONNECTION = {"connection", "content-length", "host", "transfer-encoding"}


@dataclass(frozen=True)
class Sent:
    """One request of the client, its body not unpacked, and the status that it got."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    status: int


@dataclass
class Tap:
    """Answers with what the gateway answers."""

    gateway_url: str
    http: aiohttp.ClientSession
    url: str = ""
    requests: list[Sent] = field(default_factory=list)

    def posts(self, path: str) -> list[Sent]:
        return [each for each in self.requests if (each.method, each.path) == ("POST", path)]

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        async with self.http.request(
            request.method,
            f"{self.gateway_url}{request.raw_path}",
            headers=_passed_on(request.headers),
            data=body,
        ) as reply:
            sent = Sent(request.method, request.path, request.headers, body, reply.status)
            self.requests.append(sent)
            answer = web.StreamResponse(status=reply.status, headers=_passed_on(reply.headers))
            await answer.prepare(request)
            async for chunk in reply.content.iter_any():
                await answer.write(chunk)
            return answer


@asynccontextmanager
async def tapped(gateway_url: str) -> AsyncIterator[Tap]:
    """Give a tap of the gateway for as long as the context lasts."""
    application = web.Application(client_max_size=BODY_LIMIT_BYTES)
    runner = web.AppRunner(application, auto_decompress=False)
    async with aiohttp.ClientSession(auto_decompress=False) as http:
        tap = Tap(gateway_url, http)
        application.router.add_route("*", "/{path:.*}", tap.pass_on)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            tap.url = f"http://{host}:{port}"
            yield tap
        finally:
            await runner.cleanup()


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: each for name, each in headers.items() if name.lower() not in OF_ONE_CONNECTION}
