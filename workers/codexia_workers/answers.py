"""Answers that are not streams: JSON bodies and errors, as ASGI messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from codexia.errors import anthropic_envelope, error_headers, openai_envelope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Scope, Send

    from codexia.errors import CodexiaError, Envelope

Headers = list[tuple[bytes, bytes]]


def header(scope: Scope, name: bytes) -> bytes:
    """Return a request header's first value, b"" where there is none."""
    for key, value in scope["headers"]:
        if key == name:
            return value
    return b""


def envelope_of(scope: Scope) -> Envelope:
    """Return whose error object the caller understands."""
    if scope["path"].startswith("/v1/messages") or header(scope, b"anthropic-version"):
        return "anthropic"
    return "openai"


def identity_headers(scope: Scope) -> Headers:
    """Return the headers that every answer carries: the request id, under both names."""
    request_id = scope["state"]["request_id"].encode()
    headers: Headers = [(b"request-id", request_id), (b"x-request-id", request_id)]
    if scope["state"].get("closing"):
        headers.append((b"connection", b"close"))
    return headers


async def send_json(
    scope: Scope,
    send: Send,
    payload: Any,
    *,
    status: int = 200,
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """Send one JSON body."""
    body = orjson.dumps(payload)
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                *identity_headers(scope),
                *headers,
            ],
        }
    )
    await send(
        {"type": "http.response.body", "body": b"" if scope.get("method") == "HEAD" else body}
    )


async def send_error(scope: Scope, send: Send, error: CodexiaError) -> None:
    """Send an error in the caller's own envelope."""
    envelope = envelope_of(scope)
    if envelope == "anthropic":
        payload = anthropic_envelope(error, scope["state"]["request_id"])
    else:
        payload = openai_envelope(error)
    if record := scope["state"].get("record"):
        record.refused(error.status_for(envelope), error)
    headers = [(name.encode(), value.encode()) for name, value in error_headers(error)]
    await send_json(scope, send, payload, status=error.status_for(envelope), headers=headers)
