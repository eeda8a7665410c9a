"""Logins of the official Codex CLI."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from codexia.oauth.codex_cli import (
    CodexLoginUnusable,
    default_codex_auth_file,
    parse_codex_login,
)


def stored(**members: object) -> bytes:
    tokens = {"access_token": "opaque", "refresh_token": "rt", "account_id": "acc"}
    return orjson.dumps({"tokens": tokens, **members})


@pytest.mark.parametrize(
    "members", [{}, {"auth_mode": "chatgpt"}, {"auth_mode": "chatgpt", "OPENAI_API_KEY": "sk"}]
)
def test_chatgpt_login_is_taken(members: dict[str, object]):
    login = parse_codex_login(stored(**members))
    assert (login.access_token, login.refresh_token, login.account_id) == ("opaque", "rt", "acc")
    assert login.imported


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[]", "JSON object"),
        (b"{}", "no tokens"),
        (stored(OPENAI_API_KEY="sk"), "API key"),
        (stored(auth_mode="apikey"), "API key"),
        (stored(auth_mode="chatgptAuthTokens"), "another program"),
        (stored(tokens={"refresh_token": "rt"}), "no tokens"),
    ],
)
def test_others_are_explained(content: bytes, reason: str):
    with pytest.raises(CodexLoginUnusable, match=reason):
        parse_codex_login(content)


def test_codex_home_is_followed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CODEX_HOME", raising=False)
    assert default_codex_auth_file() == Path.home() / ".codex" / "auth.json"
    monkeypatch.setenv("CODEX_HOME", "/somewhere")
    assert default_codex_auth_file() == Path("/somewhere/auth.json")
