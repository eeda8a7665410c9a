"""claude-code-router: Messages, through Chat Completions in between, in one Node process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from bench.opponents.opponent import Command, Opponent, Site
from bench.opponents.package import Package

if TYPE_CHECKING:
    from pathlib import Path

KEY = "local"

CODEX_TRANSFORMER = """
module.exports = class {
  name = "codex-login";
  constructor(options) { this.options = options; }
  async transformRequestIn(request) {
    const body = { ...request, store: false, instructions: request.instructions ?? "" };
    return { body, config: { headers: this.options.headers } };
  }
};
"""
"""What its users write to let it speak to the Codex backend: an extension of the documented kind."""


def _command(site: Site) -> Command:
    folder = site.home / ".claude-code-router"
    folder.mkdir()
    transformer = folder / "codex-login.js"
    transformer.write_text(CODEX_TRANSFORMER)
    (folder / "config.json").write_bytes(orjson.dumps(_config(site, transformer)))
    cli = site.program / "node_modules/@musistudio/claude-code-router/dist/cli.js"
    return Command(("node", str(cli), "start"))


def _config(site: Site, transformer: Path) -> dict[str, object]:
    headers = {
        "ChatGPT-Account-ID": site.login.account_id,
        "originator": "claude-code-router",
        "User-Agent": "claude-code-router/2.0.0",
        "Accept": "text/event-stream",
        "session-id": "00000000-0000-4000-8000-000000000000",
    }
    provider = {
        "name": "codex",
        "api_base_url": f"{site.codex_url}/responses",
        "api_key": site.login.access_token,
        "models": ["gpt-5.5"],
        "transformer": {"use": ["openai-responses", "codex-login"]},
    }
    return {
        "HOST": "127.0.0.1",
        "PORT": site.port,
        "APIKEY": KEY,
        "LOG": False,
        "NON_INTERACTIVE_MODE": True,
        "transformers": [{"path": str(transformer), "options": {"headers": headers}}],
        "Providers": [provider],
        "Router": {"default": "codex,gpt-5.5"},
    }


CLAUDE_CODE_ROUTER = Opponent(
    package=Package(registry="npm", name="@musistudio/claude-code-router", version="2.0.0"),
    paths={"messages": "/v1/messages"},
    command=_command,
    headers={"x-api-key": KEY},
)
