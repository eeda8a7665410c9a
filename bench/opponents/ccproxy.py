"""ccproxy-api: all three dialects below `/codex`, by one uvicorn."""

from __future__ import annotations

import orjson

from bench.opponents.opponent import Command, Opponent, Site
from bench.opponents.package import Package

CONFIG = """
enabled_plugins = ["codex", "oauth_codex"]

[scheduler]
version_check_enabled = false

[plugins.codex]
base_url = "{codex_url}"
# The prompt and the tools of the Codex CLI are no part of translation.
inject_detection_payload = false
# By default every model is asked for as one that the backend no longer has.
model_mappings = [{{match = "gpt-5.5", target = "gpt-5.5"}}]
"""


def _command(site: Site) -> Command:
    codex_home = site.home / ".codex"
    codex_home.mkdir()
    (codex_home / "auth.json").write_bytes(orjson.dumps(site.login.codex_auth_json()))
    config = site.home / "config.toml"
    config.write_text(CONFIG.format(codex_url=site.codex_url))
    return Command(
        (
            *(str(site.program / "bin/ccproxy"), "serve", "--host", "127.0.0.1"),
            *("--port", str(site.port), "--log-level", "warning"),
        ),
        {
            "CONFIG_FILE": str(config),
            # Else it asks for reasoning, which nobody else does, and puts it into the text.
            "LLM__OPENAI_THINKING_XML": "false",
            # It would use it for the backend, too.
            "HTTPS_PROXY": "",
            # Where it finds npx, it downloads the Codex CLI to see what that sends.
            "PATH": str(site.program / "bin"),
        },
    )


CCPROXY = Opponent(
    package=Package(registry="pypi", name="ccproxy-api", version="0.2.10"),
    paths={
        "chat": "/codex/v1/chat/completions",
        "messages": "/codex/v1/messages",
        "responses": "/codex/v1/responses",
    },
    command=_command,
)
