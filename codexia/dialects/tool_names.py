"""Tool names that fit the backend.

Anthropic allows 128 characters and MCP servers use them; the backend takes 64. A longer
name is cut and gets a digest, which is the same at every request, so history stays
consistent; the way back is looked up among the tools of the request.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

MAX_NAME_CHARS: Final = 64
DIGEST_CHARS: Final = 10


def codex_tool_name(name: str) -> str:
    """Return `name`, or a unique one in its place that is short enough."""
    if len(name) <= MAX_NAME_CHARS:
        return name
    digest = sha256(name.encode()).hexdigest()[:DIGEST_CHARS]
    return f"{name[: MAX_NAME_CHARS - DIGEST_CHARS - 1]}_{digest}"
