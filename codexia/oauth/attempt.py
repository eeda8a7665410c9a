"""The refresh token that was sent last, and what came of it.

It is written down before a token is sent. So a process that comes after one which was killed
knows that the token may be spent, and nobody sends again what was refused for good.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Attempt:
    """One refresh.

    Attributes:
        token: fingerprint of the refresh token.
        sent_at: unix seconds.
        pid: of the process that sent it.
        refusal: why it is refused for good, "" while that is not known.
    """

    token: str
    sent_at: int
    pid: int
    refusal: str = ""

    @property
    def sent(self) -> str:
        """When and by whom it was sent, for people."""
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self.sent_at))
        return f"at {at} UTC by process {self.pid}"


def fingerprint(issuer: str, refresh_token: str) -> str:
    """Return a name for a refresh token at one authority, which does not give it away."""
    return sha256(f"{issuer}\n{refresh_token}".encode()).hexdigest()[:32]


def attempt_of(stored: Any) -> Attempt | None:
    """Return what was written down, None for anything else."""
    match stored:
        case {
            "token": str(token),
            "sent_at": int(sent_at),
            "pid": int(pid),
            "refusal": str(refusal),
        }:
            return Attempt(token, sent_at, pid, refusal)
        case _:
            return None


def loads(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in the first line of a lock file, an empty one if there is none.

    What follows is left of a longer line, where a process was killed before it cut that off.
    """
    try:
        stored = orjson.loads(raw.partition(b"\n")[0])
    except orjson.JSONDecodeError:
        return {}
    return stored if isinstance(stored, dict) else {}  # pyright: ignore[reportUnknownVariableType]
