"""codex-as-api: Chat Completions and Messages, by one uvicorn with a thread for each stream."""

from __future__ import annotations

from pathlib import Path

import orjson

from bench.opponents.opponent import Command, Opponent, Site
from bench.opponents.package import Package

STARTER = Path(__file__).with_name("start_codex_as_api.py")


def _command(site: Site) -> Command:
    codex_home = site.home / ".codex"
    codex_home.mkdir()
    (codex_home / "auth.json").write_bytes(orjson.dumps(site.login.codex_auth_json()))
    return Command(
        (str(site.program / "bin/python"), "-P", str(STARTER), site.codex_url, str(site.port)),
        {
            "CODEX_HOME": str(codex_home),
            "CODEX_REFRESH_TOKEN_URL_OVERRIDE": f"{site.simulator_url}/oauth/token",
        },
    )


CODEX_AS_API = Opponent(
    package=Package(registry="pypi", name="codex-as-api", version="0.9.4"),
    paths={"chat": "/v1/chat/completions", "messages": "/v1/messages"},
    command=_command,
)
