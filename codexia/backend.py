"""Questions to the Codex backend that are no requests of clients: catalogue, usage, account."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from codexia.codex.failures import BLOCKED_BY_CLOUDFLARE
from codexia.http import httpx
from codexia.proxies import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codexia.codex.payload import Json
    from codexia.codex.upstream import CodexUpstream, Credential

TIMEOUT_S: Final = 10.0


class BackendUnavailable(Exception):
    """The backend gave no usable answer; the message says why."""


class LoginRefused(BackendUnavailable):
    """The backend does not take the access token."""


async def ask_backend(
    upstream: CodexUpstream,
    credential: Credential,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> httpx.Response:
    """Return the backend's reply to a GET, whatever its status.

    Raises:
        BackendUnavailable: it could not be reached.
    """
    headers = {**upstream.account_headers(credential), "accept": "application/json"} | {
        **(headers or {})
    }
    try:
        async with (
            asyncio.timeout(timeout_s),
            httpx.AsyncClient(timeout=timeout_s, trust_env=not is_loopback(url)) as http,
        ):
            return await http.get(url, headers=headers)
    except (httpx.HTTPError, TimeoutError) as error:
        raise BackendUnavailable(
            f"the backend could not be reached ({type(error).__name__})"
        ) from error


def object_of_reply(reply: httpx.Response) -> Json:
    """Return the JSON object that a good reply holds.

    Raises:
        BackendUnavailable: it is not a good one, or holds something else.
    """
    is_page = "text/html" in reply.headers.get("content-type", "")
    if reply.status_code == 403 and is_page:
        raise BackendUnavailable(BLOCKED_BY_CLOUDFLARE)
    if reply.status_code == 401:
        raise LoginRefused("the backend refused the login")
    if reply.status_code != 200:
        raise BackendUnavailable(f"the backend answered {reply.status_code}")
    try:
        content: Any = orjson.loads(reply.content)
    except orjson.JSONDecodeError as error:
        raise BackendUnavailable("the backend's answer is not JSON") from error
    if not isinstance(content, dict):
        raise BackendUnavailable("the backend's answer is of an unknown form")
    return cast("Json", content)  # JSON objects have no other keys than strings
