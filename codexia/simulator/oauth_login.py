"""The browser's part of a login: `/oauth/authorize`, and the device flow.

There is no page to fill in: an authorization is granted at once, by a redirect; a device
code is approved by `POST /codex/device`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson
from aiohttp import web

from codexia.simulator.findings import Finding
from codexia.simulator.oauth_faults import DeviceFault, DeviceHasty, DeviceOff, DevicePoll
from codexia.simulator.oauth_token import error_reply, posted_fields
from codexia.simulator.tokens import CLIENT_ID, Authority, pkce_challenge

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterator, Mapping

    from codexia.simulator.oauth_faults import AccessDenied
    from codexia.simulator.settings import Settings
    from codexia.simulator.stats import Stats

REDIRECT_URIS = (
    "http://localhost:1455/auth/callback",
    "http://localhost:1457/auth/callback",
)
CHALLENGE_LENGTH = 43
DEVICE_PAGE = """<!doctype html><title>Codex device login</title>
<form method="post"><input name="user_code" placeholder="XXXX-XXXX"><button>Approve</button></form>
"""


@dataclass(slots=True)
class DeviceLogin:
    """A device that waits for its user."""

    user_code: str
    approved: bool = False


class LoginRoutes:
    """Handlers of what a user or a device does.

    `denials` are what the next users say, `device_faults` what the next codes and polls meet.
    """

    def __init__(
        self,
        authority: Authority,
        stats: Stats,
        settings: Settings,
        denials: deque[AccessDenied],
        device_faults: deque[DeviceFault],
    ) -> None:
        self._authority = authority
        self._stats = stats
        self._settings = settings
        self._denials = denials
        self._device_faults = device_faults
        self._devices: dict[str, DeviceLogin] = {}

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        device = "/api/accounts/deviceauth"
        return [
            web.get("/oauth/authorize", self.authorize),
            web.post(f"{device}/usercode", self.user_code),
            web.post(f"{device}/token", self.device_token),
            web.get("/codex/device", self.device_page),
            web.post("/codex/device", self.approve),
        ]

    async def authorize(self, request: web.Request) -> web.StreamResponse:
        """Redirect back with a code; 400 if the query is not a proper one."""
        query = request.query
        problems = list(_query_problems(query))
        if problems:
            self._stats.count([Finding("oauth", f"authorize: {each}") for each in problems])
            return error_reply("invalid_request", problems[0], 400)
        answer = {"state": query["state"]}
        if self._denials:
            denial = self._denials.popleft()
            answer |= {"error": denial.kind, "error_description": denial.description}
        else:
            code = self._authority.new_code(query["redirect_uri"], query["code_challenge"])
            answer |= {"code": code, "scope": query["scope"]}
        location = f"{query['redirect_uri']}?{urlencode(answer)}"
        return web.Response(status=302, headers={"Location": location})

    async def user_code(self, request: web.Request) -> web.StreamResponse:
        """Start a device login."""
        fields = await posted_fields(request)
        if fields.get("client_id") != CLIENT_ID:
            self._stats.count([Finding("oauth", "usercode: client_id is not registered")])
            return error_reply("invalid_client", "client_id is not registered", 400)
        fault = self._next_fault(DeviceOff, DeviceHasty)
        if isinstance(fault, DeviceOff):
            return error_reply("deviceauth_not_enabled", "Not Found", 404)
        device_auth_id = f"deviceauth_{secrets.token_hex(16)}"
        user_code = f"{secrets.token_hex(2)}-{secrets.token_hex(2)}".upper()
        self._devices[device_auth_id] = DeviceLogin(user_code)
        reply: dict[str, str | float] = {
            "device_auth_id": device_auth_id,
            "user_code": user_code,
            "interval": str(self._settings.device_interval_s),
        }
        if isinstance(fault, DeviceHasty):
            reply["expires_in"] = fault.expires_in_s
        return web.Response(body=orjson.dumps(reply), content_type="application/json")

    async def device_token(self, request: web.Request) -> web.StreamResponse:
        """Answer a code to exchange once the user approved; 403 until then."""
        fields = await posted_fields(request)
        device_auth_id = str(fields.get("device_auth_id"))
        device = self._devices.get(device_auth_id)
        if device is None or device.user_code != fields.get("user_code"):
            return error_reply("deviceauth_not_found", "No such device login.", 404)
        if fault := self._next_fault(DevicePoll):
            return error_reply(fault.kind, f"Refused: {fault.kind}.", 400)
        if not device.approved:
            pending = "deviceauth_authorization_pending"
            return error_reply(pending, "The user has not approved yet.", 403)
        del self._devices[device_auth_id]
        return web.Response(
            body=orjson.dumps(self._device_grant()), content_type="application/json"
        )

    def _next_fault(self, *kinds: type[DeviceFault]) -> DeviceFault | None:
        """Return the first queued fault, if it is one of these."""
        if self._device_faults and isinstance(self._device_faults[0], kinds):
            return self._device_faults.popleft()
        return None

    def _device_grant(self) -> dict[str, Any]:
        verifier = secrets.token_urlsafe(48)
        challenge = pkce_challenge(verifier)
        redirect_uri = f"{self._authority.issuer}/deviceauth/callback"
        return {
            "authorization_code": self._authority.new_code(redirect_uri, challenge),
            "code_challenge": challenge,
            "code_verifier": verifier,
        }

    async def device_page(self, _request: web.Request) -> web.StreamResponse:
        """Answer the page on which a user types the code."""
        return web.Response(text=DEVICE_PAGE, content_type="text/html")

    async def approve(self, request: web.Request) -> web.StreamResponse:
        """Approve a device login by its `user_code`."""
        user_code = (await posted_fields(request)).get("user_code")
        for device in self._devices.values():
            if device.user_code == user_code:
                device.approved = True
                return web.Response(text="Approved.")
        return web.Response(status=404, text="No such code.")


def _query_problems(query: Mapping[str, str]) -> Iterator[str]:
    expected = {
        "response_type": ("code",),
        "client_id": (CLIENT_ID,),
        "redirect_uri": REDIRECT_URIS,
        "code_challenge_method": ("S256",),
    }
    for name, values in expected.items():
        if query.get(name) not in values:
            yield f"{name} must be {' or '.join(values)}"
    if len(query.get("code_challenge", "")) != CHALLENGE_LENGTH:
        yield "code_challenge must be the base64url form of a SHA-256 digest"
    if not query.get("state"):
        yield "state is missing"
    if not {"openid", "offline_access"} <= set(query.get("scope", "").split()):
        yield "scope must hold openid and offline_access"
