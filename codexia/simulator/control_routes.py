"""`/simulator/*`: what tests in other processes ask of the simulator, and read from it.

| route | body | answer |
|---|---|---|
| `GET stats` | | the counters of `stats.Stats` |
| `GET requests` | | the last accepted `/responses` requests, oldest first |
| `GET reuses` | | `[{"used_at", "reused_at"}]`: when refresh tokens were used twice, unix seconds |
| `POST reset` | | counters, requests, queued faults and the plan are as at the start |
| `POST credentials` | `{"expires_in_s": 60}`, optional | a fresh login, as `auth.json` holds it |
| `POST expire` | | every access token issued so far answers as expired |
| `POST authority` | `{"token_lifetime_s": 4, "reuse_grace_s": 0}` | how the authority refreshes from now on |
| `POST forgive` | `{"kinds": ["instructions"]}` | findings of these kinds are counted, not answered, see `settings` |
| `POST faults` | `{"fault": {"kind": "cut"}, "count": 2}` | queued for the next requests |
| `POST plan` | `{"limit_reached": true}` | what the account's plan has left, see `plan` |
| `POST oauth-faults` | `{"fault": {"kind": "lost"}, "count": 1}` | queued for the authority |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from codexia.simulator.faults import BadFault
from codexia.simulator.plan import BadPlan
from codexia.simulator.shapes import as_list, as_object
from codexia.simulator.tokens import GRANT_LIFETIME_S

if TYPE_CHECKING:
    from codexia.simulator.server import Simulator

MOST_FAULTS = 10_000


class ControlRoutes:
    """Handlers that do over HTTP what the Python face of `Simulator` does."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/simulator/stats", self.stats),
            web.get("/simulator/requests", self.requests),
            web.get("/simulator/reuses", self.reuses),
            web.post("/simulator/reset", self.reset),
            web.post("/simulator/credentials", self.credentials),
            web.post("/simulator/expire", self.expire),
            web.post("/simulator/authority", self.authority),
            web.post("/simulator/forgive", self.forgive),
            web.post("/simulator/faults", self.faults),
            web.post("/simulator/plan", self.plan),
            web.post("/simulator/oauth-faults", self.oauth_faults),
        ]

    async def stats(self, _request: web.Request) -> web.Response:
        """Answer the counters."""
        return _json(self._simulator.stats.as_dict())

    async def requests(self, _request: web.Request) -> web.Response:
        """Answer the last accepted requests."""
        return _json([each.as_dict() for each in self._simulator.accepted])

    async def reuses(self, _request: web.Request) -> web.Response:
        """Answer when refresh tokens were used twice."""
        return _json(self._simulator.refresh_token_reuses)

    async def reset(self, _request: web.Request) -> web.Response:
        """Clear counters, requests and queued faults."""
        self._simulator.reset()
        return _json({})

    async def credentials(self, request: web.Request) -> web.Response:
        """Answer a fresh login."""
        wanted = await _object(request)
        expires_in_s = wanted.get("expires_in_s", GRANT_LIFETIME_S)
        if not isinstance(expires_in_s, int | float):
            return _refused("expires_in_s must be a number")
        return _json(self._simulator.issue_credentials(expires_in_s))

    async def expire(self, _request: web.Request) -> web.Response:
        """Expire the access tokens."""
        self._simulator.expire_access_tokens()
        return _json({})

    async def authority(self, request: web.Request) -> web.Response:
        """Set how long tokens live, and how long a spent refresh token is forgiven."""
        for name, value in (await _object(request)).items():
            if name not in {"token_lifetime_s", "reuse_grace_s"}:
                return _refused(f"there is no {name}")
            if not isinstance(value, int | float):
                return _refused(f"{name} must be a number")
            setattr(self._simulator.settings, name, value)
        return _json({})

    async def forgive(self, request: web.Request) -> web.Response:
        """Set which kinds of findings are let pass from now on."""
        kinds = as_list((await _object(request)).get("kinds"))
        if kinds is None:
            return _refused("kinds must be a list")
        self._simulator.settings.forgiven = frozenset(map(str, kinds))
        return _json({})

    async def faults(self, request: web.Request) -> web.Response:
        """Queue faults for the next `/responses` requests."""
        wanted = await _object(request)
        try:
            self._simulator.add_fault(_fault(wanted), _count(wanted))
        except BadFault as error:
            return _refused(str(error))
        return _json({})

    async def plan(self, request: web.Request) -> web.Response:
        """Change the account's plan."""
        try:
            self._simulator.change_plan(await _object(request))
        except BadPlan as error:
            return _refused(str(error))
        return _json({})

    async def oauth_faults(self, request: web.Request) -> web.Response:
        """Queue faults for the login authority."""
        wanted = await _object(request)
        try:
            self._simulator.add_oauth_fault(_fault(wanted), _count(wanted))
        except BadFault as error:
            return _refused(str(error))
        return _json({})


async def _object(request: web.Request) -> dict[str, Any]:
    raw = await request.read()
    try:
        content = as_object(orjson.loads(raw)) if raw else {}
    except orjson.JSONDecodeError as error:
        raise web.HTTPBadRequest(text=f"not JSON: {error}") from error
    if content is None:
        raise web.HTTPBadRequest(text="not a JSON object")
    return content


def _fault(wanted: dict[str, Any]) -> Any:
    fault = wanted.get("fault")
    if isinstance(fault, str):
        return fault
    if (described := as_object(fault)) is not None:
        return described
    raise BadFault("fault must be an object with a kind, or a text such as 'cut after=5'")


def _count(wanted: dict[str, Any]) -> int:
    count = wanted.get("count", 1)
    if isinstance(count, int) and 1 <= count <= MOST_FAULTS:
        return count
    raise BadFault(f"count must be an integer from 1 to {MOST_FAULTS}")


def _refused(message: str) -> web.Response:
    return _json({"error": message}, 400)


def _json(content: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(content), content_type="application/json")
