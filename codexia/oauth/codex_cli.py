"""The login of OpenAI's Codex CLI, as its auth.json holds it. It is only ever read."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from codexia.errors import LoginRequired
from codexia.oauth.credentials import Credentials, CredentialsUnreadable, of_tokens
from codexia.oauth.replies import object_of, text_of

UNUSABLE_MODES: Final = {
    "apikey": "is logged in with an API key, which is billed by use and is no ChatGPT login",
    "chatgptAuthTokens": "gets its tokens from another program, which does not share them",
    "agentIdentity": "is logged in as an agent, which works for the Codex CLI alone",
    "personalAccessToken": "is logged in with a personal access token, which is not supported",
}
"""What another `auth_mode` than `chatgpt` means."""


class CodexLoginUnusable(LoginRequired):
    """The Codex CLI has no login that can be taken over."""


def default_codex_auth_file() -> Path:
    """Return where the Codex CLI keeps its login, by `$CODEX_HOME` or in `~/.codex`."""
    configured = os.environ.get("CODEX_HOME")
    home = Path(configured).expanduser() if configured else Path.home() / ".codex"
    return home / "auth.json"


def read_codex_login(path: Path) -> Credentials:
    """Return the login of the Codex CLI.

    Args:
        path: of its auth.json, or the directory that this is in.

    Raises:
        CodexLoginUnusable: there is none, or none of the kind that works here.
    """
    if path.is_dir():
        path /= "auth.json"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise CodexLoginUnusable(
            f"there is no {path}; the Codex CLI is not logged in, or keeps its login in the "
            "system's keyring, which is not read: run `codexia login` for a login of its own, or "
            '`codex login` after setting cli_auth_credentials_store = "file" in its config.toml'
        ) from None
    except OSError as error:
        raise CodexLoginUnusable(f"{path}: {error.strerror or 'cannot be read'}") from error
    try:
        return parse_codex_login(content)
    except (CodexLoginUnusable, CredentialsUnreadable) as error:
        raise CodexLoginUnusable(f"{path}: {error.message}") from error


def parse_codex_login(content: bytes) -> Credentials:
    """Return the login that an auth.json of the Codex CLI makes.

    Raises:
        CodexLoginUnusable: it makes none.
        CredentialsUnreadable: nothing says which account it is of.
    """
    stored = object_of(content)
    if stored is None:
        raise CodexLoginUnusable("is not a JSON object; run `codex login`, or `codexia login`")
    given: Any = stored.get("tokens")
    access_token = text_of(given, "access_token") or ""
    refresh_token = text_of(given, "refresh_token") or ""
    mode = _mode(stored)
    if mode in UNUSABLE_MODES:
        raise CodexLoginUnusable(
            f"the Codex CLI {UNUSABLE_MODES[mode]}; run `codexia login` to log in with ChatGPT"
        )
    if not access_token:
        raise CodexLoginUnusable("holds no tokens of a ChatGPT login; run `codexia login`")
    credentials = of_tokens(access_token, refresh_token, None, text_of(given, "account_id") or "")
    return replace(credentials, imported=True)


def _mode(stored: dict[str, Any]) -> str:
    """Return how it is logged in; files from before `auth_mode` tell by what they hold."""
    mode = text_of(stored, "auth_mode")
    if mode is not None:
        return mode
    return "apikey" if text_of(stored, "OPENAI_API_KEY") else "chatgpt"
