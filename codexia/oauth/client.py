"""The calls to the authority."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from codexia.http import httpx
from codexia.oauth.authorize import CLIENT_ID, Authority
from codexia.oauth.replies import (
    AuthorityUnavailable,
    TokenReply,
    failure_of_reply,
    parse_token_reply,
)
from codexia.proxies import is_loopback

if TYPE_CHECKING:
    from codexia.oauth.pkce import Pkce

TIMEOUT_S: Final = 10.0


class AuthorityClient:
    """Trades codes and tokens with one authority. A connection per call: calls are rare."""

    def __init__(self, issuer: str, user_agent: str) -> None:
        self._authority = Authority(issuer)
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
        return parse_token_reply(await self._post(self._authority.token_url, data=form))

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
        return parse_token_reply(await self._post(self._authority.token_url, json=fields))

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
        await self._post(self._authority.revoke_url, json=fields)

    async def _post(self, url: str, **body: Any) -> bytes:
        try:
            async with httpx.AsyncClient(
                timeout=TIMEOUT_S, headers=self._headers, trust_env=not is_loopback(url)
            ) as http:
                reply = await http.post(url, **body)
        except httpx.HTTPError as error:
            raise AuthorityUnavailable(
                f"the login server could not be reached ({type(error).__name__})"
            ) from error
        if reply.status_code != 200:
            raise failure_of_reply(reply.status_code, reply.content)
        return reply.content
