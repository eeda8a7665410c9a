"""`POST /oauth/token` and `/oauth/revoke`: codes and refresh tokens against new tokens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from codexia.simulator.findings import Finding
from codexia.simulator.oauth_faults import Lost, Partial, Refused, Slow, Status, TokenFault
from codexia.simulator.shapes import as_object
from codexia.simulator.tokens import CLIENT_ID, Authority, Grant, GrantRefused

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Mapping

    from codexia.simulator.stats import Stats


class TokenRoutes:
    """Handlers of the token endpoints; `faults` are what the next token requests get."""

    def __init__(self, authority: Authority, stats: Stats, faults: deque[TokenFault]) -> None:
        self._authority = authority
        self._stats = stats
        self._faults = faults

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [web.post("/oauth/token", self.token), web.post("/oauth/revoke", self.revoke)]

    async def token(self, request: web.Request) -> web.StreamResponse:
        """Answer new tokens, or why there are none."""
        form = await posted_fields(request)
        fault = self._faults.popleft() if self._faults else None
        match fault:
            case Status():
                return error_reply("server_error", "The server had an error.", int(fault.kind))
            case Refused():
                return error_reply(fault.kind, f"Refused: {fault.kind}.", fault.status)
            case Slow():
                await asyncio.sleep(fault.ms / 1000)
            case _:
                pass
        try:
            grant = self._grant(form, rotate=_rotates(fault))
        except GrantRefused as refusal:
            return error_reply(refusal.code, refusal.message, refusal.status)
        if isinstance(fault, Lost) and request.transport is not None:
            request.transport.abort()
        left_out = fault.without if isinstance(fault, Partial) else []
        reply = grant.token_reply()
        return _json({name: value for name, value in reply.items() if name not in left_out})

    def _grant(self, form: Mapping[str, Any], *, rotate: bool) -> Grant:
        grant_type = form.get("grant_type")
        needed = {
            "authorization_code": ("code", "redirect_uri", "code_verifier"),
            "refresh_token": ("refresh_token",),
        }.get(str(grant_type))
        if needed is None:
            raise self._malformed("unsupported_grant_type", f"no grant type {grant_type}")
        if form.get("client_id") != CLIENT_ID:
            raise self._malformed("invalid_client", "client_id is not registered")
        values = [form.get(name) for name in needed]
        if not all(isinstance(value, str) and value for value in values):
            raise self._malformed("invalid_request", f"needed: {', '.join(needed)}")
        if grant_type == "refresh_token":
            return self._authority.refresh(str(values[0]), rotate=rotate)
        code, redirect_uri, code_verifier = map(str, values)
        return self._authority.exchange(code, redirect_uri, code_verifier)

    def _malformed(self, code: str, message: str) -> GrantRefused:
        self._stats.count([Finding("oauth", f"token: {message}")])
        return GrantRefused(code, message)

    async def revoke(self, request: web.Request) -> web.StreamResponse:
        """Forget a token; unknown ones are no error."""
        fields = await posted_fields(request)
        self._authority.revoke(str(fields.get("token")))
        return _json({})


def _rotates(fault: TokenFault | None) -> bool:
    return not (isinstance(fault, Partial) and "refresh_token" in fault.without)


async def posted_fields(request: web.Request) -> Mapping[str, Any]:
    """Return the fields of a JSON object or a form; empty if it is neither."""
    if request.content_type == "application/json":
        try:
            return as_object(orjson.loads(await request.read())) or {}
        except orjson.JSONDecodeError:
            return {}
    return await request.post()


def error_reply(code: str, message: str, status: int) -> web.Response:
    """Return an error in the authority's form."""
    kind = "invalid_request_error"
    error = {"message": message, "type": kind, "param": None, "code": code}
    return _json({"error": error}, status)


def _json(content: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(content), content_type="application/json")
