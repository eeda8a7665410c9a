"""From an exchange that is over to the recording of it, without secrets."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from codexia import __version__
from codexia.errors import CodexiaError
from codexia.recordings.masking import without_content
from codexia.recordings.recording import FORMAT
from codexia.recordings.redaction import Redaction
from codexia_workers.answers import header
from codexia_workers.body import decompressed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Scope

    from codexia.control import ModelRules
    from codexia_workers.draft import Call, Draft, NotedBody
    from codexia_workers.request_record import RequestRecord
    from codexia_workers.serving import Serving


def name_of(at: float, request_id: str) -> str:
    """Return what a recording is called; names sort by time."""
    day = time.strftime("%Y%m%dT%H%M%S", time.gmtime(at))
    return f"{day}.{int(at % 1 * 1000):03}Z-{request_id}"


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a recording is made of."""

    draft: Draft = field(repr=False)
    about: dict[str, Any]
    models: ModelRules
    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    content: bool

    @classmethod
    def of(
        cls, draft: Draft, scope: Scope, record: RequestRecord, request_id: str, serving: Serving
    ) -> Exchange:
        """Return an exchange with what must be read before the request is forgotten."""
        is_socket = scope["type"] == "websocket"
        about: dict[str, Any] = {
            "format": FORMAT,
            "id": request_id,
            "version": __version__,
            "transport": "websocket" if is_socket else "http",
            "at": draft.at,
            "dialect": record.name or scope["path"].rpartition("/")[2],
            "model": record.model,
            "key": scope["state"].get("key_name", ""),
            "outcome": record.outcome,
            "code": record.code,
        }
        presented = [header(scope, name) for name in (b"authorization", b"x-api-key")]
        credential = serving.credential
        secrets = [value.decode("latin-1").rpartition(" ")[2] for value in presented]
        if credential is not None:
            secrets += [credential.access_token, credential.account_id]
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        snapshot = serving.snapshot
        return cls(
            draft,
            about,
            snapshot.models,
            "GET" if is_socket else scope["method"],
            scope["path"],
            headers,
            tuple(secrets),
            snapshot.record_content,
        )


def rendered(exchange: Exchange) -> bytes:
    """Return the recording, a `Recording` as JSON."""
    return _Rendering(exchange).content()


class _Rendering:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._draft = exchange.draft
        self._redaction = Redaction(exchange.secrets)

    def content(self) -> bytes:
        exchange, draft = self._exchange, self._draft
        told = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in draft.reply_headers
        }
        recording = {
            **exchange.about,
            "content": exchange.content,
            "models": exchange.models.model_dump(),
            "request": self._request(),
            "upstream": [self._call(call) for call in draft.calls],
            "reply": self._reply(draft.status, told, draft.reply),
        }
        return orjson.dumps(recording)

    def _request(self) -> dict[str, Any]:
        exchange = self._exchange
        body = b"".join(part for _, part in self._draft.request.parts)
        exact = True
        encoding = exchange.headers.get("content-encoding", "").lower().encode("latin-1")
        try:
            body = decompressed(body, encoding)
        except CodexiaError:
            # Compressed as it is, it could not be searched for secrets.
            body, exact = b"", False
        text, is_text = self._text(body)
        return {
            "method": exchange.method,
            "path": exchange.path,
            "headers": self._redaction.headers(exchange.headers),
            "body": text,
            "exact": exact and is_text,
        }

    def _call(self, call: Call) -> dict[str, Any]:
        text, exact = self._text(call.content)
        return {
            "transport": call.transport,
            "at_ms": self._ms(call.began),
            "request": {
                "method": "POST" if call.transport == "http" else "GET",
                "path": urlsplit(call.target).path,
                "headers": self._redaction.headers(call.headers),
                "body": text,
                "exact": exact,
            },
            "reply": self._reply(call.status, call.reply_headers, call.reply),
        }

    def _reply(self, status: int, headers: Mapping[str, str], body: NotedBody) -> dict[str, Any]:
        text, exact = self._text(b"".join(part for _, part in body.parts))
        return {
            "status": status,
            "headers": self._redaction.headers(headers),
            "body": text,
            "parts": [(self._ms(at), len(part)) for at, part in body.parts],
            "end": body.end or "left",
            "exact": exact,
        }

    def _text(self, content: bytes) -> tuple[str, bool]:
        """Return what may be kept of a body, and whether it is UTF-8."""
        content = self._redaction.content(content)
        if not self._exchange.content:
            content = without_content(content)
        try:
            return content.decode(), True
        except UnicodeDecodeError:
            return content.decode("utf-8", "replace"), False

    def _ms(self, at: float) -> float:
        return round((at - self._draft.began) * 1000, 3)
