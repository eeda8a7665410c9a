"""Proof key for code exchange, https://www.rfc-editor.org/rfc/rfc7636."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Pkce:
    """The secrets of one login attempt.

    Attributes:
        verifier: proves at the exchange that we asked for the code.
        state: comes back with the redirect; a different one means somebody else's login.
    """

    verifier: str = field(repr=False)
    state: str = field(repr=False)

    @classmethod
    def generate(cls) -> Pkce:
        """Return fresh secrets."""
        return cls(secrets.token_urlsafe(64), secrets.token_urlsafe(32))

    @property
    def challenge(self) -> str:
        """The S256 challenge that goes into the authorisation URL."""
        digest = sha256(self.verifier.encode("ascii")).digest()
        return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
