"""What every backend route does first: judge identity and login, and answer what is wrong."""

from __future__ import annotations

import secrets
import zlib
from typing import TYPE_CHECKING

import zstandard
from aiohttp import web

from codexia.simulator.findings import Finding, HttpAnswer, refused
from codexia.simulator.rules_headers import check_identity, check_login
from codexia.simulator.tokens import ACCOUNT_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from codexia.simulator.settings import Settings
    from codexia.simulator.stats import Stats
    from codexia.simulator.tokens import Authority

BODY_LIMIT_BYTES = 64 * 1024 * 1024


class BadEncoding(ValueError):
    """The request body is not what its Content-Encoding says."""


class Gate:
    """Judges requests, counts what it finds, and words the refusals."""

    def __init__(self, authority: Authority, stats: Stats, settings: Settings) -> None:
        self._authority = authority
        self._stats = stats
        self._settings = settings

    def login_findings(self, request: web.Request) -> Iterator[Finding]:
        """Yield what is wrong with identity and login, in the order of the answers."""
        yield from check_identity(request.headers)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        state = self._authority.access_state(token)
        yield from check_login(request.headers, state, ACCOUNT_ID)

    def refusal(self, findings: Iterable[Finding]) -> web.Response | None:
        """Count the findings and return the answer of the first that has one."""
        found = list(findings)
        self._stats.count(found)
        forgiven = self._settings.forgiven
        answers = (each.answer for each in found if each.answer and each.kind not in forgiven)
        answer = next(answers, None)
        return rendered(answer) if answer else None


def rendered(answer: HttpAnswer) -> web.Response:
    """Return the answer as a response with the edge's own headers."""
    edge = {"Server": "cloudflare", "cf-ray": f"{secrets.token_hex(8)}-SIM"}
    headers = {**edge, **answer.headers, "Content-Type": answer.content_type}
    return web.Response(status=answer.status, body=answer.body, headers=headers)


async def decoded_body(request: web.Request) -> bytes:
    """Return the request body, unpacked if it came as gzip or zstd.

    Raises:
        BadEncoding: if it cannot be unpacked.
    """
    raw = await request.read()
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    try:
        match encoding:
            case "identity":
                return raw
            case "gzip":
                return zlib.decompress(raw, wbits=31)
            case "zstd":
                unpacker = zstandard.ZstdDecompressor()
                return unpacker.stream_reader(raw).read(BODY_LIMIT_BYTES)
            case _:
                raise BadEncoding(f"Unsupported content encoding: {encoding}")
    except (zlib.error, zstandard.ZstdError) as error:
        raise BadEncoding(f"Request body is not {encoding}") from error


def encoding_finding(error: BadEncoding) -> Finding:
    """Return the finding of an undecodable body."""
    return refused("content_encoding", str(error))
