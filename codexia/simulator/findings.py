"""What the backend finds wrong with a request, and how it says so.

A finding is a **violation** when a correct gateway must never cause it (an unsupported field,
a missing header, a foreign id), and a **rejection** when a client can deserve it through a
correct gateway (an unknown model, an expired token, a call without its output). A finding
without an answer is only counted: the real backend lets it pass, at a price.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

CLOUDFLARE_PAGE = b"""<html>
  <head>
    <meta name="viewport" content="width=device-width, initial-scale=1" />
  </head><body>Enable JavaScript and cookies to continue</body></html>
"""

TOO_LARGE_PAGE = b"""<html>
<head><title>413 Request Entity Too Large</title></head>
<body><center><h1>413 Request Entity Too Large</h1></center><hr><center>cloudflare</center></body>
</html>
"""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A response that is not a stream."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule.

    Attributes:
        kind: the rule, as a short stable name to count by.
        detail: what exactly was seen.
        answer: what the backend replies, or None if it lets the request pass.
        is_violation: False if a correct gateway can pass this on from its client.
    """

    kind: str
    detail: str
    answer: HttpAnswer | None = None
    is_violation: bool = True


def detail_answer(detail: Any, status: int = 400) -> HttpAnswer:
    """Return an error in the form `{"detail": ...}`."""
    return HttpAnswer(status, orjson.dumps({"detail": detail}))


def error_answer(
    message: str, *, param: str | None = None, code: str | None = None, status: int = 400
) -> HttpAnswer:
    """Return an error in the form `{"error": {...}}`."""
    kind = "invalid_request_error"
    error = {"message": message, "type": kind, "param": param, "code": code}
    return HttpAnswer(status, orjson.dumps({"error": error}))


def cloudflare_answer() -> HttpAnswer:
    """Return the challenge page of the edge before the backend."""
    page = "text/html; charset=UTF-8"
    return HttpAnswer(403, CLOUDFLARE_PAGE, page, {"cf-mitigated": "challenge"})


def too_large_answer() -> HttpAnswer:
    """Return the edge's page for a body over its limit."""
    return HttpAnswer(413, TOO_LARGE_PAGE, "text/html")


def expired_answer() -> HttpAnswer:
    """Return the 401 for an access token past its time."""
    message = "Provided authentication token is expired. Please try signing in again."
    error = {"message": message, "type": None, "code": "token_expired", "param": None}
    return HttpAnswer(401, orjson.dumps({"error": error, "status": 401}))


def refused(kind: str, detail: str) -> Finding:
    """Return a violation answered with `{"detail": ...}`."""
    return Finding(kind, detail, detail_answer(detail))


def invalid(
    kind: str, message: str, *, param: str, code: str | None = None, by_client: bool = False
) -> Finding:
    """Return a finding answered with a 400 `{"error": {...}}`.

    `by_client` makes it a rejection.
    """
    answer = error_answer(message, param=param, code=code)
    return Finding(kind, message, answer, is_violation=not by_client)


def listing(values: list[str]) -> str:
    """Return the values as the backend writes them: `'a', 'b', and 'c'`."""
    quoted = [f"'{value}'" for value in values]
    if len(quoted) < 3:
        return " and ".join(quoted)
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}"
