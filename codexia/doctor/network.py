"""The way to the backend and to the login server, and what their clocks say.

Each is asked once, like the gateway asks: names, connection, TLS and HTTP are told apart.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from codexia.codex.failures import BLOCKED_BY_CLOUDFLARE
from codexia.codex.upstream import CodexUpstream, Credential
from codexia.doctor.finding import Finding
from codexia.http import httpx
from codexia.local_time import duration
from codexia.models import models_of_catalogue
from codexia.oauth.credentials import CredentialsUnreadable, read_credentials
from codexia.proxies import is_loopback, proxy_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codexia.doctor.subject import Subject

NAME_TIMEOUT_S: Final = 3.0
HTTP_TIMEOUT_S: Final = 5.0
MAX_SKEW_S: Final = 60

CLOUDFLARE_ADVICE: Final = (
    "try another network or VPN exit, and the default user_agent; some regions and data centres "
    "are not let through"
)


class Unreachable(Exception):
    """There is no answer; `advice` says what to do."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(reason)
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whatever its status, and what the wall clock said when it came."""

    response: httpx.Response
    took_ms: int
    came_at: float

    @property
    def is_page(self) -> bool:
        """Whether it is a page of something in between."""
        return "text/html" in self.response.headers.get("content-type", "")

    @property
    def skew_s(self) -> float | None:
        """How far our clock is ahead of the server's."""
        try:
            there = parsedate_to_datetime(self.response.headers["date"])
        except (KeyError, ValueError):
            return None
        return self.came_at - there.timestamp()


async def check_network(subject: Subject) -> list[Finding]:
    """Return what became of a call to each server, and how the clocks agree."""
    settings = subject.settings
    upstream = CodexUpstream(
        settings.upstream_base_url,
        settings.originator,
        settings.user_agent,
        settings.client_version,
    )
    credential = _credential(subject)
    headers = upstream.account_headers(credential or Credential("", ""))
    if credential is None:
        headers = {name: headers[name] for name in ("originator", "user-agent")}
    issuer_url = f"{settings.oauth_issuer}/.well-known/openid-configuration"
    backend, issuer = await asyncio.gather(
        _ask(upstream.models_url, headers),
        _ask(issuer_url, {"user-agent": settings.user_agent}),
    )
    findings = [
        _of_reply("backend", settings.upstream_base_url, backend),
        _of_reply("login server", settings.oauth_issuer, issuer),
        _of_clock([each for each in (backend, issuer) if isinstance(each, Reply)]),
    ]
    if credential is not None and isinstance(backend, Reply):
        findings.append(_of_account(backend))
    return [each for each in findings if each is not None]


def _credential(subject: Subject) -> Credential | None:
    """Return what a call may be authorised with, if there is a login whose token lives."""
    try:
        stored = read_credentials(subject.auth_file)
    except CredentialsUnreadable:
        return None
    if stored is None or not stored.access_token or 0 < stored.expires_at <= time.time():
        return None
    return Credential(stored.access_token, stored.account_id)


async def _ask(url: str, headers: Mapping[str, str]) -> Reply | Unreachable:
    began = time.monotonic()
    try:
        async with asyncio.timeout(HTTP_TIMEOUT_S):
            if proxy_for(url) is None:
                await _resolve(url)
            async with httpx.AsyncClient(
                timeout=HTTP_TIMEOUT_S, trust_env=not is_loopback(url)
            ) as http:
                response = await http.get(url, headers=headers)
    except Unreachable as reason:
        return reason
    except (httpx.TimeoutException, TimeoutError):
        advice = "a firewall may drop it, or a proxy be needed (HTTPS_PROXY)"
        return Unreachable(f"no answer within {HTTP_TIMEOUT_S:.0f} s", advice)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
        return _unreachable(error)
    return Reply(response, round((time.monotonic() - began) * 1000), time.time())


async def _resolve(url: str) -> None:
    """Return if the name of an address is known.

    In a thread that nobody waits for at the end: a resolver may take half a minute to give up.
    """
    loop = asyncio.get_running_loop()
    resolved: asyncio.Future[bool] = loop.create_future()
    parts = urlsplit(url)

    def tell(known: bool) -> None:
        if not resolved.done():
            resolved.set_result(known)

    def look_up() -> None:
        try:
            known = bool(socket.getaddrinfo(parts.hostname, parts.port or parts.scheme))
        except (OSError, UnicodeError):
            known = False
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, known)

    threading.Thread(target=look_up, daemon=True).start()
    advice = "check the spelling in the settings, and this host's DNS (/etc/resolv.conf)"
    try:
        async with asyncio.timeout(NAME_TIMEOUT_S):
            known = await resolved
    except TimeoutError:
        reason = f"looking up {parts.hostname} takes longer than {NAME_TIMEOUT_S:.0f} s"
        raise Unreachable(reason, advice) from None
    if not known:
        raise Unreachable(f"the name {parts.hostname} is not known", advice)


def _unreachable(error: Exception) -> Unreachable:
    text = str(error).lower()
    if isinstance(error, httpx.ProxyError):
        return Unreachable("the proxy does not let it through", "check HTTPS_PROXY and NO_PROXY")
    if "certificate" in text or "ssl" in text:
        advice = "something in between breaks TLS open; give its certificate in SSL_CERT_FILE"
        return Unreachable("its TLS certificate is not trusted, or it speaks no TLS", advice)
    if isinstance(error, httpx.ConnectError):
        return Unreachable("no connection", "check the address, the network and the firewall")
    return Unreachable(
        f"the call failed ({type(error).__name__})", "check the address and the proxy variables"
    )


def _of_reply(name: str, url: str, outcome: Reply | Unreachable) -> Finding:
    way = f"{_host_of(url)}{_by_proxy(url)}"
    if isinstance(outcome, Unreachable):
        return Finding(name, "broken", f"{way}: {outcome}", outcome.advice)
    status = outcome.response.status_code
    if status == 403 and outcome.is_page:
        return Finding(name, "broken", f"{way}: {BLOCKED_BY_CLOUDFLARE}", CLOUDFLARE_ADVICE)
    if status >= 500:
        return Finding(name, "warning", f"{way}: it answers {status}", "wait; it may be down")
    return Finding(name, "ok", f"{way} answers in {outcome.took_ms} ms")


def _of_account(reply: Reply) -> Finding | None:
    """Return what an authorised call gave; nothing where the answer is no answer to that."""
    status = reply.response.status_code
    if status == 200:
        try:
            count = len(list(models_of_catalogue(reply.response.json())))
        except (AttributeError, KeyError, TypeError, ValueError):
            advice = "check upstream_base_url"
            return Finding("account", "warning", "the catalogue is of unknown form", advice)
        return Finding("account", "ok", f"the backend takes the login; {count} models")
    if status == 401:
        advice = "the gateway refreshes it by itself; if it cannot, run `codexia login`"
        return Finding("account", "warning", "the backend refuses the access token", advice)
    if status == 403 and not reply.is_page:
        advice = "look at chatgpt.com whether the account or its workspace may use Codex"
        return Finding("account", "broken", "the backend denies this account", advice)
    return None


def _of_clock(replies: list[Reply]) -> Finding | None:
    skews = [each.skew_s for each in replies if each.skew_s is not None]
    if not skews:
        return None
    skew_s = min(skews, key=abs)
    if abs(skew_s) <= MAX_SKEW_S:
        return Finding("clock", "ok", "agrees with the servers'")
    way = "ahead" if skew_s > 0 else "behind"
    found = f"this host's clock is {duration(abs(skew_s))} {way}: tokens seem to end at other times"
    return Finding("clock", "warning", found, "set it: `sudo timedatectl set-ntp true`")


def _host_of(url: str) -> str:
    parts = urlsplit(url)
    return parts.hostname or "?" if parts.port is None else f"{parts.hostname}:{parts.port}"


def _by_proxy(url: str) -> str:
    """Return the proxy on the way, without the password that may be in its address."""
    proxy = proxy_for(url)
    return f" by the proxy {_host_of(proxy)}" if proxy else ""
