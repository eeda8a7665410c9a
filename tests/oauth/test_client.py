"""The calls to the authority, against the simulated one."""

from __future__ import annotations

import socket
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from codexia.oauth.authorize import Authority, redirect_uri
from codexia.oauth.client import AuthorityClient
from codexia.oauth.credentials import of_tokens
from codexia.oauth.pkce import Pkce
from codexia.oauth.redirect import code_of_redirect
from codexia.oauth.replies import AuthorityUnavailable, LoginExpired
from codexia.simulator import Simulator


async def test_login_refresh_and_revoke() -> None:
    async with Simulator() as simulator:
        pkce = Pkce.generate()
        url = Authority(simulator.issuer).authorize_url(pkce, redirect_uri(), "codexia")
        async with httpx.AsyncClient(trust_env=False) as browser:
            redirect = (await browser.get(url)).headers["location"]
        assert parse_qs(urlsplit(redirect).query)["state"] == [pkce.state]
        code = code_of_redirect(redirect, pkce.state)
        client = AuthorityClient(simulator.issuer, "codexia/test")
        reply = await client.exchange(code, pkce, redirect_uri())
        assert reply.access_token
        assert reply.refresh_token
        assert of_tokens(reply.access_token, reply.refresh_token, None).account_id
        renewed = await client.refresh(reply.refresh_token)
        assert renewed.refresh_token not in (None, reply.refresh_token)
        with pytest.raises(LoginExpired):
            await client.refresh(reply.refresh_token)
        assert renewed.refresh_token
        await client.revoke(renewed.refresh_token)
        with pytest.raises(LoginExpired):
            await client.refresh(renewed.refresh_token)


async def test_wrong_verifier_is_refused() -> None:
    async with Simulator() as simulator:
        pkce = Pkce.generate()
        url = Authority(simulator.issuer).authorize_url(pkce, redirect_uri(), "codexia")
        async with httpx.AsyncClient(trust_env=False) as browser:
            redirect = (await browser.get(url)).headers["location"]
        client = AuthorityClient(simulator.issuer, "codexia/test")
        with pytest.raises(LoginExpired):
            await client.exchange(
                code_of_redirect(redirect, pkce.state), Pkce.generate(), redirect_uri()
            )


async def test_authority_that_is_not_there() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    client = AuthorityClient(f"http://127.0.0.1:{port}", "codexia/test")
    with pytest.raises(AuthorityUnavailable, match="could not be reached"):
        await client.refresh("rt")


async def test_connection_that_dies_after_the_request_is_not_final() -> None:
    async with Simulator() as simulator:
        token = simulator.issue_credentials()["refresh_token"]
        simulator.add_oauth_fault({"kind": "lost"})
        with pytest.raises(AuthorityUnavailable):
            await AuthorityClient(simulator.issuer, "codexia/test").refresh(token)
