"""openai-oauth: Chat Completions through Vercel's AI SDK, in one Node process."""

from __future__ import annotations

import orjson

from bench.opponents.opponent import Command, Opponent, Site
from bench.opponents.package import Package

CODEX_VERSION = "0.169.0"


def _command(site: Site) -> Command:
    auth = site.home / "auth.json"
    auth.write_bytes(orjson.dumps(site.login.codex_auth_json()))
    return Command(
        (
            *("node", str(site.program / "node_modules/openai-oauth/dist/cli.js")),
            *("--host", "127.0.0.1", "--port", str(site.port)),
            *("--models", "gpt-5.5", "--codex-version", CODEX_VERSION),
            *("--base-url", site.codex_url, "--oauth-file", str(auth)),
            *("--oauth-token-url", f"{site.simulator_url}/oauth/token"),
        )
    )


OPENAI_OAUTH = Opponent(
    package=Package(registry="npm", name="openai-oauth", version="2.0.0"),
    paths={"chat": "/v1/chat/completions"},
    command=_command,
)
