"""The simulator as a server on loopback: from Python, or as a process of its own."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, Self

import uvloop
from aiohttp import web

from codexia.simulator.account_routes import AccountRoutes
from codexia.simulator.catalogue import catalogue, catalogue_etag
from codexia.simulator.control_routes import ControlRoutes
from codexia.simulator.faults import SocketFault, parse_fault
from codexia.simulator.findings import Finding, detail_answer
from codexia.simulator.gate import BODY_LIMIT_BYTES, Gate, rendered
from codexia.simulator.images_route import ImagesRoute
from codexia.simulator.oauth_faults import (
    AccessDenied,
    DeviceFault,
    TokenFault,
    parse_oauth_fault,
)
from codexia.simulator.oauth_login import LoginRoutes
from codexia.simulator.oauth_token import TokenRoutes
from codexia.simulator.plan import Plan
from codexia.simulator.replayed import ReplayedReplies
from codexia.simulator.responses_route import AcceptedRequest, ResponsesRoute
from codexia.simulator.settings import Settings
from codexia.simulator.stats import Stats
from codexia.simulator.tokens import GRANT_LIFETIME_S, Authority
from codexia.simulator.transcripts import transcript_encrypted_contents, transcripts
from codexia.simulator.websocket_route import WebSocketRoute

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

SHUTDOWN_TIMEOUT_S = 1
CONTROL_PREFIX = "/simulator/"


class Simulator:
    """A Codex backend and its login authority, as an async context manager.

    It answers from entering to leaving; `port` 0 takes a free one. Tokens, counters and
    queued faults live as long as the object.

    Attributes:
        stats: what it saw.
        settings: pacing; may be changed while it runs.
        replayed: recorded replies to play instead of its own.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, settings: Settings | None = None
    ) -> None:
        self.stats = Stats()
        self.settings = settings or Settings()
        self.replayed = ReplayedReplies()
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        self._oauth_faults: deque[TokenFault] = deque()
        self._denials: deque[AccessDenied] = deque()
        self._device_faults: deque[DeviceFault] = deque()
        self._authority = Authority("", self.stats, self.settings)
        self._gate = Gate(self._authority, self.stats, self.settings)
        self._responses = ResponsesRoute(self._gate, self.stats, self.settings)
        self._sockets = WebSocketRoute(self._gate, self.stats, self.settings, self._responses)

    @property
    def url(self) -> str:
        """Address of the server, without a path."""
        return f"http://{self._host}:{self._port}"

    @property
    def base_url(self) -> str:
        """What a gateway takes as `upstream_base_url`."""
        return f"{self.url}/backend-api"

    @property
    def issuer(self) -> str:
        """What a gateway takes as `oauth_issuer`."""
        return self.url

    @property
    def accepted(self) -> list[AcceptedRequest]:
        """The last accepted `/responses` requests, oldest first."""
        return list(self._responses.accepted)

    @property
    def refresh_token_reuses(self) -> list[dict[str, float]]:
        """When refresh tokens were used twice, oldest first; a reset leaves them alone."""
        return list(self._authority.reuses)

    def issue_credentials(self, expires_in_s: float = GRANT_LIFETIME_S) -> dict[str, Any]:
        """Return a fresh login with exactly the keys of `auth.json`."""
        return self._authority.issue(expires_in_s).auth_json()

    def expire_access_tokens(self) -> None:
        """Make every access token issued so far answer as expired, whatever it says itself."""
        self._authority.expire_access_tokens()

    def add_fault(self, fault: str | dict[str, Any], count: int = 1) -> None:
        """Queue a fault for the next accepted `/responses` requests.

        Raises:
            BadFault: if there is no such fault.
        """
        parsed = parse_fault(fault)
        if isinstance(parsed, SocketFault):
            self._sockets.faults.extend([parsed] * count)
        else:
            self._responses.faults.extend([parsed] * count)

    def add_oauth_fault(self, fault: dict[str, Any], count: int = 1) -> None:
        """Queue a fault for the next token requests or authorizations.

        Raises:
            BadFault: if there is no such fault.
        """
        parsed = parse_oauth_fault(fault)
        if isinstance(parsed, AccessDenied):
            self._denials.extend([parsed] * count)
        elif isinstance(parsed, DeviceFault):
            self._device_faults.extend([parsed] * count)
        else:
            self._oauth_faults.extend([parsed] * count)

    def change_plan(self, changes: dict[str, Any]) -> None:
        """Change what the account's plan lets through; see `plan`.

        Raises:
            BadPlan: if a plan cannot be like that.
        """
        self._responses.plan = self._responses.plan.changed(changes)

    def reset(self) -> None:
        """Clear counters, remembered requests, queued faults and the plan; logins stay."""
        self._responses.plan = Plan()
        self.stats.reset()
        self._responses.accepted.clear()
        self._responses.faults.clear()
        self._sockets.faults.clear()
        self._oauth_faults.clear()
        self._denials.clear()
        self._device_faults.clear()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(_load_files)
        self._runner = web.AppRunner(
            self._application(),
            access_log=None,
            auto_decompress=False,
            handler_cancellation=True,
            shutdown_timeout=SHUTDOWN_TIMEOUT_S,
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, backlog=2048).start()
        self._port = self._runner.addresses[0][1]
        self._authority.issuer = self.issuer
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def _application(self) -> web.Application:
        application = web.Application(
            client_max_size=BODY_LIMIT_BYTES, middlewares=[self._counted, self.replayed.middleware]
        )
        token_routes = TokenRoutes(self._authority, self.stats, self._oauth_faults)
        login_routes = LoginRoutes(
            self._authority, self.stats, self.settings, self._denials, self._device_faults
        )
        application.add_routes(
            [
                web.post("/backend-api/codex/responses", self._responses.handle),
                web.get("/backend-api/codex/responses", self._sockets.handle),
                *AccountRoutes(self._gate, lambda: self._responses.plan).routes(),
                *ImagesRoute(self._gate, self.stats).routes(),
                *token_routes.routes(),
                *login_routes.routes(),
                *ControlRoutes(self).routes(),
                web.route("*", "/{path:.*}", self._not_found),
            ]
        )
        return application

    @web.middleware
    async def _counted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(CONTROL_PREFIX):
            self.stats.requests[f"{request.method} {request.path}"] += 1
        return await handler(request)

    async def _not_found(self, request: web.Request) -> web.StreamResponse:
        detail = f"{request.method} {request.path} does not exist"
        self.stats.count([Finding("path", detail)])
        return rendered(detail_answer("Not Found", 404))


def _load_files() -> None:
    """Read the package's files once, so that no request does."""
    transcripts()
    transcript_encrypted_contents()
    catalogue()
    catalogue_etag()


def run(host: str, port: int, settings: Settings | None = None) -> None:
    """Serve until SIGINT or SIGTERM; tells the address on standard output first."""
    uvloop.run(_serve(Simulator(host, port, settings)))


async def _serve(simulator: Simulator) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with simulator:
        sys.stdout.write(f"simulator listening on {simulator.url}\n")
        sys.stdout.flush()
        await stopped.wait()
