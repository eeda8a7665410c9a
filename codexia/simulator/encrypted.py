"""Opaque `encrypted_content`, verifiable without keeping any of it.

The real content is bound to the account and opaque to clients; what matters to a gateway is
that it comes back unchanged. This one is a nonce and its keyed hash, so that a changed or
foreign value is noticed, also after a restart.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets

from codexia.simulator.transcripts import transcript_encrypted_contents

_PREFIX = "gAAAAAB"
_NONCE_BYTES = 27
_PERSON = b"codexia-sim"


def new_encrypted_content() -> str:
    """Return a fresh value that `is_known_encrypted_content` accepts."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _PREFIX + base64.urlsafe_b64encode(nonce + _mark(nonce)).decode()


def is_known_encrypted_content(content: str) -> bool:
    """Return whether a simulator or a transcript made this value."""
    if content in transcript_encrypted_contents():
        return True
    try:
        decoded = base64.urlsafe_b64decode(content.removeprefix(_PREFIX))
    except (binascii.Error, ValueError):
        return False
    nonce, mark = decoded[:_NONCE_BYTES], decoded[_NONCE_BYTES:]
    return content.startswith(_PREFIX) and len(nonce) == _NONCE_BYTES and mark == _mark(nonce)


def _mark(nonce: bytes) -> bytes:
    return hashlib.blake2b(nonce, digest_size=27, person=_PERSON).digest()
