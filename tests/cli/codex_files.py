"""auth.json as the official Codex CLI writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.processes import Simulator


def write_codex_login(home: Path, simulator: Simulator, **members: Any) -> dict[str, str]:
    """Log the Codex CLI in; return its tokens."""
    expires_in_s = members.pop("expires_in_s", 864_000)
    login = orjson.loads(simulator.credentials(expires_in_s))
    tokens = {key: login[key] for key in ("access_token", "refresh_token", "account_id")}
    stored = {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": None,
        "tokens": {"id_token": "a.b.c", **tokens},
        "last_refresh": "2026-11-20T08:15:30Z",
        **members,
    }
    home.mkdir(parents=True, exist_ok=True)
    (home / "auth.json").write_bytes(orjson.dumps(stored))
    return tokens
