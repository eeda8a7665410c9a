"""Takes secrets out of what is recorded: those that are known, and what looks like one.

Each byte of a secret becomes a `*`, so that JSON stays JSON and every length stays what it was.
What an answer spells out in pieces over several events is not found.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MASK: Final = "***"

SHORTEST_LITERAL: Final = 8
"""Shorter ones, such as a local key `local`, are words of the protocols too."""

PLAIN_HEADERS: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "anthropic-beta",
        "anthropic-version",
        "cache-control",
        "cf-ray",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "openai-beta",
        "openai-model",
        "openai-processing-ms",
        "originator",
        "request-id",
        "retry-after",
        "retry-after-ms",
        "server",
        "session-id",
        "session_id",
        "thread-id",
        "transfer-encoding",
        "user-agent",
        "x-accel-buffering",
        "x-app",
        "x-claude-code-session-id",
        "x-client-request-id",
        "x-codex-beta-features",
        "x-codex-parent-thread-id",
        "x-codex-window-id",
        "x-models-etag",
        "x-oai-request-id",
        "x-openai-internal-codex-responses-lite",
        "x-openai-subagent",
        "x-reasoning-included",
        "x-request-id",
        "x-session-affinity",
        "x-session-id",
        "x-should-retry",
    }
)
"""Headers whose values are kept. Names are kept of all, since they may matter and tell nothing."""

_PLAIN_FAMILIES: Final = re.compile(
    r"x-stainless-[a-z-]+|x-[a-z0-9-]+-(?:used-percent|window-minutes|reset-at|reset-after-seconds)"
)

# A secret begins where a word does. In JSON that may be after the letter of an escape.
_START = (
    rb"(?:(?<![\\\w.%+-])|(?<=\\)(?![nrtbf]|u[0-9A-Fa-f]{4})"
    rb"|(?<=\\[nrtbf])|(?<=\\u[0-9A-Fa-f]{4}))"
)
_EMAIL: Final = re.compile(
    _START + rb"[\w.%+-]++@[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)++(?<=[A-Za-z])"
)
_JWT: Final = re.compile(_START + rb"eyJ[\w-]{8,}+\.[\w-]{8,}+(?:\.[\w-]*+)?")
_TOKEN: Final = re.compile(
    _START
    + rb"""(?:
        (?:sk|rt|ac|glpat|xox[abpr])[-_][\w.-]{16,}+
      | (?:gh[opsur]|github_pat)_\w{16,}+
      | AKIA[A-Z0-9]{16}
      | (?:user|org|acct|account)[-_][A-Za-z0-9]{16,}+
    )
    | (?<=\\)rt[-_]([\w.-]{16,}+)  # whose first letter may be that of an escape
    """,
    re.VERBOSE,
)
_BEARER: Final = re.compile(rb"(?i)(?:bearer|basic)[ ]+([\w.~+/=-]{8,}+)")
_NAMED: Final = re.compile(
    rb"""(?i)"(?:access_?token|refresh_?token|id_?token|api_?key|x-api-key|authorization
      |(?:set-)?cookie|password|passwd|client_?secret|secret_?key|secret
      |(?:chatgpt_)?account_?id|account_?uuid|user_?id|safety_identifier|e-?mail
      )\\*+"\s*+:\s*+\\*+"((?:[^"\\]++|\\[^"\\])*+)""",
    re.VERBOSE,
)

_PATTERNS: Final = (
    (
        (
            *(b"token", b"apikey", b"api_key", b"api-key", b"authorization", b"cookie", b"passw"),
            *(
                b"secret",
                b"account",
                b"user_id",
                b"userid",
                b"safety_identifier",
                b"email",
                b"e-mail",
            ),
        ),
        _NAMED,
    ),
    ((b"bearer ", b"basic "), _BEARER),
    ((b"@",), _EMAIL),
    ((b"eyj",), _JWT),
    (
        (
            *(b"sk-", b"sk_", b"rt-", b"rt_", b"ac-", b"ac_", b"glpat", b"xox", b"akia"),
            *(b"gho_", b"ghp_", b"ghs_", b"ghu_", b"ghr_", b"github_pat"),
            *(b"user-", b"user_", b"org-", b"org_", b"acct", b"account-", b"account_"),
        ),
        _TOKEN,
    ),
)
"""What to look for, and what is in lower case wherever there is any, which is found faster."""

_WINDOW_BYTES: Final = 32 * 1024
"""What is searched at once, since a search holds up the process's other threads."""


class Redaction:
    """Knows some secrets by heart, and all by their shapes."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._literals = tuple(
            sorted({form for each in secrets for form in _forms(each)}, key=len, reverse=True)
        )

    def literals(self, content: bytes) -> bytes:
        """Return content of the same length without the secrets that are known."""
        for literal in self._literals:
            if literal in content:
                content = content.replace(literal, b"*" * len(literal))
        return content

    def content(self, content: bytes) -> bytes:
        """Return content of the same length without what is a secret."""
        return b"".join(map(_without_shapes, _windows(self.literals(content))))

    def text(self, text: str) -> str:
        """Return a text without what is a secret."""
        return self.content(text.encode("utf-8", "replace")).decode("utf-8", "replace")

    def headers(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Return headers, the values of those that are not known to be harmless masked."""
        return tuple(
            (name.lower(), self.text(value) if _is_plain(name.lower()) else MASK)
            for name, value in headers.items()
        )


def _windows(content: bytes) -> Iterator[bytes]:
    """Return content piece by piece, cut after commas, which are in no secret."""
    start = 0
    while start < len(content):
        comma = content.find(b",", start + _WINDOW_BYTES)
        end = comma + 1 or len(content)
        yield content[start:end]
        start = end


def _without_shapes(content: bytes) -> bytes:
    lowered = content.lower()
    for marks, pattern in _PATTERNS:
        if any(mark in lowered for mark in marks):
            content = pattern.sub(_masked, content)
    return content


def _is_plain(name: str) -> bool:
    return name in PLAIN_HEADERS or _PLAIN_FAMILIES.fullmatch(name) is not None


def _masked(found: re.Match[bytes]) -> bytes:
    """Return what was found, its group or all of it masked."""
    whole, start = found[0], found.start()
    first, last = found.span(found.lastindex or 0)
    return whole[: first - start] + b"*" * (last - first) + whole[last - start :]


def _forms(secret: str) -> set[bytes]:
    """Return a secret as it is, as it is in JSON, and in JSON within JSON."""
    if len(secret) < SHORTEST_LITERAL:
        return set()
    once = orjson.dumps(secret)[1:-1]
    return {secret.encode(), once, orjson.dumps(once.decode())[1:-1]}
