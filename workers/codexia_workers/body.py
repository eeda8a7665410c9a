"""Request bodies: read with a limit, decompressed with a limit, decoded once."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Any, Final

import orjson
import zstandard

from codexia.errors import BadRequest, RequestTimeout, RequestTooLarge, UnsupportedMediaType
from codexia_workers.answers import header
from codexia_workers.decoded import (
    MAX_NESTING,
    MOST_PER_BYTE,
    TooDeep,
    decoded_bytes,
    most_decoded_bytes,
)
from codexia_workers.request_memory import check_memory, hold_memory, room_for

if TYPE_CHECKING:
    from starlette.types import Receive, Scope

MAX_BODY_BYTES: Final = 64 * 1024 * 1024
"""Limit of a body as sent and as decoded. Bodies of 22 MB were seen to reach the backend."""

MAX_ZSTD_WINDOW_BYTES: Final = 128 * 1024 * 1024

MAX_DECODED_BYTES: Final = 512 * 1024 * 1024
"""Of a body whatever room there is; the largest of texts and images stay far below."""

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
        self._missing = _announced_bytes(scope)
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
        self._missing -= len(chunk)
        # The server tells of the end by one more message, two changes of threads later.
        self.more = message.get("more_body", False) and self._missing != 0
        self._patience_s += len(chunk) / MIN_BYTES_PER_S - (clock() - waiting_since)
        return chunk


def _announced_bytes(scope: Scope) -> int:
    """Return how long a body says that it is, less than nothing where only its end tells."""
    length = header(scope, b"content-length")
    return int(length) if length.isdigit() and not header(scope, b"transfer-encoding") else -1


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
        body = decompressed(body, encoding)
        hold_memory(scope, len(body))
    return decode_json(body, scope)


def require_json(scope: Scope) -> None:
    """Return if the body says that it is JSON.

    Raises:
        UnsupportedMediaType: it is, or claims to be, something else.
    """
    content_type = header(scope, b"content-type").partition(b";")[0].strip().lower()
    if content_type != b"application/json" and not content_type.endswith(b"+json"):
        raise UnsupportedMediaType("send the body as JSON, with `content-type: application/json`")


def decode_json(body: bytes, scope: Scope | None = None) -> dict[str, Any]:
    """Return the JSON object that a body, or a message of a WebSocket, is.

    Args:
        body: as it was sent, decompressed.
        scope: of the request whose memory it counts as.

    Raises:
        BadRequest: it is none, or is nested deeper than `MAX_NESTING`.
        RequestTooLarge: it may take more than `MAX_DECODED_BYTES`.
        Overloaded: there is no memory for what it may take.
    """
    _check_size(body, scope)
    try:
        decoded: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not valid JSON: {error.msg}", code="invalid_json") from error
    if not isinstance(decoded, dict):
        raise BadRequest("the body must be a JSON object", code="invalid_json")
    payload: dict[str, Any] = decoded  # pyright: ignore[reportUnknownVariableType]
    try:
        size = decoded_bytes(payload)
    except TooDeep as error:
        raise BadRequest(
            f"the body is nested deeper than {MAX_NESTING} levels", code="invalid_json"
        ) from error
    if scope is not None:
        hold_memory(scope, size)
    return payload


def _check_size(body: bytes, scope: Scope | None) -> None:
    """Return if there is room for whatever a body may become."""
    room_bytes = MAX_DECODED_BYTES if scope is None else min(MAX_DECODED_BYTES, room_for(scope))
    if len(body) * MOST_PER_BYTE <= room_bytes:
        return
    most = most_decoded_bytes(body)
    if most > MAX_DECODED_BYTES:
        raise RequestTooLarge("the body holds too many values")
    if scope is not None:
        check_memory(scope, most)


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


def decompressed(body: bytes, encoding: bytes) -> bytes:
    """Return a body as it was before it was encoded.

    Raises:
        BadRequest: it is not in that encoding.
        RequestTooLarge: it is over `MAX_BODY_BYTES`.
        UnsupportedMediaType: there is no such encoding here.
    """
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


def _too_large() -> str:
    return f"the body is larger than {MAX_BODY_BYTES // 2**20} MiB"
