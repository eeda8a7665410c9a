"""Uploads: bodies that pass through a worker piece by piece and are never held in it."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

import zstandard

from codexia.errors import BadRequest, RequestTooLarge, UnsupportedMediaType
from codexia_workers.answers import header
from codexia_workers.body import IncomingBody

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from starlette.types import Receive, Scope

MAX_UPLOAD_BYTES: Final = 256 * 1024 * 1024
"""Limit of an upload, decompressed; that of Anthropic's Message Batches."""

MAX_ZSTD_WINDOW_BYTES: Final = 8 * 1024 * 1024
"""What every decoder should take, says RFC 8878; no default of an encoder needs more."""

PIECE_BYTES: Final = 256 * 1024
ZSTD_SLICE_BYTES: Final = 256
"""zstd's decoder has no bound for what it gives out at once; 4 bytes of input make 128 kB."""


async def read_upload(
    scope: Scope, receive: Receive, max_bytes: int = MAX_UPLOAD_BYTES
) -> AsyncGenerator[bytes]:
    """Give a body in pieces, decompressed, as fast as they are taken.

    Raises:
        RequestTooLarge: it is over the limit.
        UnsupportedMediaType: its encoding is not served.
        BadRequest: it is not in the encoding that it claims, or cut short.
        RequestTimeout: it does not come.
    """
    encoding = header(scope, b"content-encoding").lower() or b"identity"
    length = header(scope, b"content-length")
    if encoding == b"identity" and length.isdigit() and int(length) > max_bytes:
        raise _too_large(max_bytes)
    decode, is_complete = _decoder(encoding)
    size_bytes = 0
    incoming = IncomingBody(scope, receive)
    while incoming.more:
        chunk = await incoming.next()
        try:
            for piece in decode(chunk):
                size_bytes += len(piece)
                if size_bytes > max_bytes:
                    raise _too_large(max_bytes)
                yield piece
        except (zlib.error, zstandard.ZstdError) as error:
            raise BadRequest(f"the body is not valid {encoding.decode('latin-1')}") from error
    if not is_complete():
        raise BadRequest("the compressed body is cut short")


def _decoder(
    encoding: bytes,
) -> tuple[Callable[[bytes], Iterator[bytes]], Callable[[], bool]]:
    """Return what decodes a chunk, and what tells whether the end was reached."""
    match encoding:
        case b"identity":
            return _as_it_is, lambda: True
        case b"gzip" | b"x-gzip":
            return _inflating(zlib.MAX_WBITS | 16)
        case b"deflate":
            return _inflating(zlib.MAX_WBITS)
        case b"zstd":
            return _unzstd()
        case _:
            raise UnsupportedMediaType("content-encoding must be gzip, deflate, zstd or identity")


def _as_it_is(chunk: bytes) -> Iterator[bytes]:
    if chunk:
        yield chunk


def _inflating(wbits: int) -> tuple[Callable[[bytes], Iterator[bytes]], Callable[[], bool]]:
    inflater = zlib.decompressobj(wbits)

    def inflate(chunk: bytes) -> Iterator[bytes]:
        while True:
            piece = inflater.decompress(chunk, PIECE_BYTES)
            if piece:
                yield piece
            chunk = inflater.unconsumed_tail
            if not chunk and len(piece) < PIECE_BYTES:
                return

    return inflate, lambda: inflater.eof


def _unzstd() -> tuple[Callable[[bytes], Iterator[bytes]], Callable[[], bool]]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW_BYTES)
    frame = decompressor.decompressobj()

    def decompress(chunk: bytes) -> Iterator[bytes]:
        for start in range(0, len(chunk), ZSTD_SLICE_BYTES):
            if frame.eof:
                return
            piece = frame.decompress(chunk[start : start + ZSTD_SLICE_BYTES])
            if piece:
                yield piece

    return decompress, lambda: frame.eof


def _too_large(max_bytes: int) -> RequestTooLarge:
    return RequestTooLarge(f"the body is larger than {max_bytes // 2**20} MiB")
