"""Request bodies: read with a limit, decompressed with a limit, decoded once."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Any, Final

import orjson
import zstandard

from codexia.errors import BadRequest, RequestTimeout, RequestTooLarge, UnsupportedMediaType
from codexia_workers.answers import header
from codexia_workers.request_memory import hold_memory

if TYPE_CHECKING:
    from starlette.types import Receive, Scope

MAX_BODY_BYTES: Final = 64 * 1024 * 1024
"""Limit of a body as sent and as decoded. Bodies of 22 MB were seen to reach the backend."""

MAX_ZSTD_WINDOW_BYTES: Final = 128 * 1024 * 1024

MAX_NESTING: Final = 200
"""Levels of a body. orjson decodes 1024 but encodes 254, and what we send adds some of its own."""

MIN_BYTES_PER_S: Final = 16 * 1024
"""What earns a body a second more than `body_timeout_s`. Slower ones only hold a place."""


class ClientGone(Exception):
    """The client closed its connection; there is nobody left to answer."""


class IncomingBody:
    """A body as it comes, chunk by chunk, as long as it comes.

    Attributes:
        more: whether there is a next chunk.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.more = True
        self._receive = receive
        self._patience_s: float = scope["state"]["serving"].snapshot.body_timeout_s

    async def next(self) -> bytes:
        """Return the next chunk; only the wait for it counts.

        Raises:
            BadRequest: the body ends before its end, or is in no form that HTTP has.
            RequestTimeout: it does not come, or hardly.
        """
        clock = asyncio.get_running_loop().time
        waiting_since = clock()
        try:
            async with asyncio.timeout(self._patience_s):
                message = await self._receive()
        except TimeoutError as error:
            raise RequestTimeout("the body did not come in time; send it faster") from error
        if message["type"] == "http.disconnect":
            raise BadRequest("the body ended before it was complete")
        chunk: bytes = message.get("body", b"")
        self.more = message.get("more_body", False)
        self._patience_s += len(chunk) / MIN_BYTES_PER_S - (clock() - waiting_since)
        return chunk


async def read_json(scope: Scope, receive: Receive) -> dict[str, Any]:
    """Return the body's JSON object.

    Raises:
        UnsupportedMediaType: the content type is not JSON. A browser sends any other type
            across sites without asking first, so it is refused, not guessed.
        BadRequest: the body is not a JSON object, not in the encoding that it claims, or nested
            deeper than `MAX_NESTING`.
        RequestTooLarge: it is over `MAX_BODY_BYTES`.
        Overloaded: there is no memory for it beside the bodies of other requests.
        RequestTimeout: it does not come.
    """
    require_json(scope)
    body = await _read(scope, IncomingBody(scope, receive))
    encoding = header(scope, b"content-encoding").lower()
    if encoding not in {b"", b"identity"}:
        body = _decompress(body, encoding)
        hold_memory(scope, len(body))
    return decode_json(body)


def require_json(scope: Scope) -> None:
    """Return if the body says that it is JSON.

    Raises:
        UnsupportedMediaType: it is, or claims to be, something else.
    """
    content_type = header(scope, b"content-type").partition(b";")[0].strip().lower()
    if content_type != b"application/json" and not content_type.endswith(b"+json"):
        raise UnsupportedMediaType("send the body as JSON, with `content-type: application/json`")


def decode_json(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body, or a message of a WebSocket, is.

    Raises:
        BadRequest: it is none, or is nested deeper than `MAX_NESTING`.
    """
    try:
        decoded: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not valid JSON: {error.msg}", code="invalid_json") from error
    if not isinstance(decoded, dict):
        raise BadRequest("the body must be a JSON object", code="invalid_json")
    payload: dict[str, Any] = decoded  # pyright: ignore[reportUnknownVariableType]
    if _is_deep(payload):
        raise BadRequest(
            f"the body is nested deeper than {MAX_NESTING} levels", code="invalid_json"
        )
    return payload


async def _read(scope: Scope, incoming: IncomingBody) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while incoming.more:
        chunk = await incoming.next()
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise RequestTooLarge(_too_large())
        hold_memory(scope, len(chunk))
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _decompress(body: bytes, encoding: bytes) -> bytes:
    try:
        match encoding:
            case b"" | b"identity":
                return body
            case b"gzip" | b"x-gzip":
                return _inflate(body, zlib.MAX_WBITS | 16)
            case b"deflate":
                return _inflate(body, zlib.MAX_WBITS)
            case b"zstd":
                return _unzstd(body)
            case _:
                raise UnsupportedMediaType(
                    "content-encoding must be gzip, deflate, zstd or identity"
                )
    except (zlib.error, zstandard.ZstdError) as error:
        raise BadRequest(f"the body is not valid {encoding.decode('latin-1')}") from error


def _inflate(body: bytes, wbits: int) -> bytes:
    inflater = zlib.decompressobj(wbits)
    decoded = inflater.decompress(body, MAX_BODY_BYTES + 1)
    if len(decoded) > MAX_BODY_BYTES:
        raise RequestTooLarge(_too_large())
    if not inflater.eof:
        raise BadRequest("the compressed body is cut short")
    return decoded


def _unzstd(body: bytes) -> bytes:
    reader = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW_BYTES).stream_reader(body)
    decoded = reader.read(MAX_BODY_BYTES + 1)
    if len(decoded) > MAX_BODY_BYTES:
        raise RequestTooLarge(_too_large())
    return decoded


def _is_deep(payload: dict[str, Any]) -> bool:
    level: list[dict[str, Any] | list[Any]] = [payload]
    for _ in range(MAX_NESTING):
        members = [each.values() if isinstance(each, dict) else each for each in level]
        level = [member for some in members for member in some if type(member) in (dict, list)]
        if not level:
            return False
    return True


def _too_large() -> str:
    return f"the body is larger than {MAX_BODY_BYTES // 2**20} MiB"
