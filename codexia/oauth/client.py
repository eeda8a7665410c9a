"""The calls to the authority."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from codexia.http import httpx
from codexia.oauth.authorize import CLIENT_ID, Authority
from codexia.oauth.device import (
    DeviceCode,
    DeviceGrant,
    Wait,
    failure_of_device_code,
    outcome_of_poll,
    parse_device_code,
)
from codexia.oauth.replies import (
    AuthorityUnavailable,
    AuthorityUnreachable,
    TokenReply,
    failure_of_reply,
    parse_token_reply,
)
from codexia.proxies import is_loopback

if TYPE_CHECKING:
    from codexia.oauth.pkce import Pkce

CONNECT_TIMEOUT_S: Final = 10.0
TOTAL_TIMEOUT_S: Final = 25.0
"""Patient, because an answer that nobody waits for takes the login with it."""

NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
"""What goes wrong before a request leaves."""


class AuthorityClient:
    """Trades codes and tokens with one authority. A connection per call: calls are rare.

    Attributes:
        addresses: of the authority, for the calls and for people.
    """

    def __init__(self, issuer: str, user_agent: str) -> None:
        self.issuer = issuer
        self.addresses = Authority(issuer)
        self._headers = {"user-agent": user_agent, "accept": "application/json"}

    async def exchange(self, code: str, pkce: Pkce, redirect_uri: str) -> TokenReply:
        """Return the tokens of a new login.

        Raises:
            LoginExpired: the code is refused.
            AuthorityUnavailable: no usable answer came.
        """
        form = {
            "grant_type": "authorization_code",
            "client_id": CLIENT_ID,
            "code": code,
            "code_verifier": pkce.verifier,
            "redirect_uri": redirect_uri,
        }
        return parse_token_reply(await self._post(self.addresses.token_url, data=form))

    async def refresh(self, refresh_token: str) -> TokenReply:
        """Return fresh tokens. Once this was sent the old refresh token may be spent.

        Raises:
            LoginExpired: the refresh token is refused for good.
            AuthorityUnavailable: no usable answer came.
        """
        fields = {
            "client_id": CLIENT_ID,
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
        }
        return parse_token_reply(await self._post(self.addresses.token_url, json=fields))

    async def revoke(self, refresh_token: str) -> None:
        """Give a login back.

        Raises:
            LoginExpired: it was no good any more.
            AuthorityUnavailable: no usable answer came.
        """
        fields = {
            "token": refresh_token,
            "token_type_hint": "refresh_token",
            "client_id": CLIENT_ID,
        }
        await self._post(self.addresses.revoke_url, json=fields)

    async def device_code(self) -> DeviceCode:
        """Return a code that a person approves in a browser anywhere.

        Raises:
            DeviceLoginOff: the authority does not offer this.
            AuthorityUnavailable: no usable answer came.
        """
        reply = await self._send(self.addresses.device_code_url, json={"client_id": CLIENT_ID})
        if reply.status_code != 200:
            raise failure_of_device_code(reply.status_code, reply.content)
        return parse_device_code(reply.content)

    async def poll_device(self, code: DeviceCode) -> DeviceGrant | Wait:
        """Return what has become of a device code.

        Raises:
            DeviceLoginFailed: it was declined or has expired.
            AuthorityUnavailable: no usable answer came.
        """
        fields = {"device_auth_id": code.device_auth_id, "user_code": code.user_code}
        reply = await self._send(self.addresses.device_token_url, json=fields)
        return outcome_of_poll(reply.status_code, reply.content)

    async def _post(self, url: str, **body: Any) -> bytes:
        reply = await self._send(url, **body)
        if reply.status_code != 200:
            raise failure_of_reply(reply.status_code, reply.content)
        return reply.content

    async def _send(self, url: str, **body: Any) -> httpx.Response:
        http = self._http(url)
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT_S), http:
                return await http.post(url, **body)
        except NOT_SENT as error:
            raise _unreachable(error) from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise AuthorityUnavailable(
                f"the login server did not answer ({type(error).__name__})"
            ) from error

    def _http(self, url: str) -> httpx.AsyncClient:
        timeout = httpx.Timeout(TOTAL_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        try:
            return httpx.AsyncClient(
                timeout=timeout, headers=self._headers, trust_env=not is_loopback(url)
            )
        except (ValueError, OSError) as error:  # proxies and certificates of the environment
            raise _unreachable(error) from error


def _unreachable(error: Exception) -> AuthorityUnreachable:
    return AuthorityUnreachable(f"the login server could not be reached ({type(error).__name__})")
