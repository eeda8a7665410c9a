"""Encrypted reasoning as the `signature` of a thinking block.

The backend gives reasoning as an opaque text and wants it back on the next turn; Anthropic
clients keep a block's signature verbatim. `cdx1.` marks ours, so that the signatures of
other providers, which the backend would refuse, are known at sight. The check sum finds a
signature that was cut on the way; sending one would fail the whole conversation.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final
from zlib import crc32

PREFIX: Final = "cdx1."
CHECK_BYTES: Final = 4


def signature(encrypted_content: str) -> str:
    """Return the signature that carries `encrypted_content`."""
    content = encrypted_content.encode()
    check = crc32(content).to_bytes(CHECK_BYTES, "big")
    return PREFIX + urlsafe_b64encode(check + content).decode()


def encrypted_content(signature: str) -> str | None:
    """Return what a signature carries, None if it is not ours or not whole."""
    if not signature.startswith(PREFIX):
        return None
    try:
        raw = urlsafe_b64decode(signature[len(PREFIX) :].encode("ascii"))
        content = raw[CHECK_BYTES:].decode()
    except ValueError:
        return None
    if raw[:CHECK_BYTES] != crc32(content.encode()).to_bytes(CHECK_BYTES, "big"):
        return None
    return content
