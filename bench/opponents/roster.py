"""Every opponent by name, and which of them are installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.opponents.ccproxy import CCPROXY
from bench.opponents.chatmock import CHATMOCK
from bench.opponents.claude_code_router import CLAUDE_CODE_ROUTER
from bench.opponents.codex_as_api import CODEX_AS_API
from bench.opponents.codex_lb import CODEX_LB
from bench.opponents.litellm import LITELLM
from bench.opponents.openai_oauth import OPENAI_OAUTH
from bench.opponents.package import Installed

if TYPE_CHECKING:
    from pathlib import Path

OPPONENTS = {
    "openai-oauth": OPENAI_OAUTH,
    "chatmock": CHATMOCK,
    "codex-as-api": CODEX_AS_API,
    "litellm": LITELLM,
    "claude-code-router": CLAUDE_CODE_ROUTER,
    "ccproxy": CCPROXY,
    "codex-lb": CODEX_LB,
}

RECORD = "installed.json"
"""In an opponent's folder, written last."""


def installed(directory: Path, name: str) -> Installed | None:
    """Return what is installed of an opponent, None if it is not."""
    record = directory / name / RECORD
    return Installed.model_validate_json(record.read_bytes()) if record.exists() else None
