"""ChatMock: Chat Completions, by Flask's development server with a thread for each request."""

from __future__ import annotations

from pathlib import Path

import orjson

from bench.opponents.opponent import Command, Opponent, Site
from bench.opponents.package import Package

STARTER = Path(__file__).with_name("start_chatmock.py")


def _command(site: Site) -> Command:
    (site.home / "auth.json").write_bytes(orjson.dumps(site.login.codex_auth_json()))
    return Command(
        (str(site.program / "bin/python"), "-P", str(STARTER), site.simulator_url, str(site.port)),
        {
            "CHATGPT_LOCAL_HOME": str(site.home),
            "CHATGPT_LOCAL_MODEL_SYNC": "false",
            # Else it asks for reasoning, which nobody else does, and puts it into the text.
            "CHATGPT_LOCAL_REASONING_SUMMARY": "none",
        },
    )


CHATMOCK = Opponent(
    package=Package(registry="pypi", name="chatmock", version="1.40"),
    paths={"chat": "/v1/chat/completions"},
    command=_command,
)
