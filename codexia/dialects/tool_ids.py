"""Tool call ids of the backend and of Anthropic clients, each made from the other.

The backend says `call_x` where Anthropic says `toolu_x`. Both ways the two prefixes are
swapped and any other id stays as it is, so the rule needs no memory, every worker can undo
what another did, and two ids never become one.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

CODEX_PREFIX: Final = "call_"
ANTHROPIC_PREFIX: Final = "toolu_"
MAX_CALL_ID_CHARS: Final = 64
"""The backend refuses a longer `call_id`."""


def tool_use_id(call_id: str) -> str:
    """Return the Anthropic id of a call that the backend made."""
    return _swapped(call_id)


def call_id(tool_use_id: str) -> str:
    """Return the backend's id of a tool use that a client tells of.

    An id that would be too long is replaced by its digest: a call and its result still meet,
    and it was not the backend who made such an id.
    """
    swapped = _swapped(tool_use_id)
    if len(swapped) <= MAX_CALL_ID_CHARS:
        return swapped
    return CODEX_PREFIX + sha256(tool_use_id.encode()).hexdigest()[:40]


def _swapped(name: str) -> str:
    if name.startswith(CODEX_PREFIX):
        return ANTHROPIC_PREFIX + name[len(CODEX_PREFIX) :]
    if name.startswith(ANTHROPIC_PREFIX):
        return CODEX_PREFIX + name[len(ANTHROPIC_PREFIX) :]
    return name
