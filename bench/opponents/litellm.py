"""LiteLLM's proxy with its `chatgpt/` provider: all three dialects, by one uvicorn."""

from __future__ import annotations

import orjson

from bench.opponents.opponent import Command, Opponent, Site
from bench.opponents.package import Package

KEY = "sk-bench-0123456789abcdef0123456789abcdef"
"""It refuses to start with a weak one."""


def _command(site: Site) -> Command:
    tokens = site.home / "tokens"
    tokens.mkdir()
    (tokens / "auth.json").write_bytes(site.login.model_dump_json().encode())
    config = site.home / "config.yaml"
    # YAML's superset of JSON is enough of it.
    config.write_bytes(
        orjson.dumps(
            {
                "model_list": [
                    {
                        "model_name": "gpt-5.5",
                        "litellm_params": {"model": "chatgpt/gpt-5.5", "api_base": site.codex_url},
                    }
                ],
                "litellm_settings": {"callbacks": [], "num_retries": 0, "telemetry": False},
                "general_settings": {"master_key": KEY},
            }
        )
    )
    program = site.program / "bin/litellm"
    return Command(
        (
            *(str(program), "--config", str(config), "--host", "127.0.0.1"),
            *("--port", str(site.port), "--num_workers", "1"),
        ),
        {
            "CHATGPT_API_BASE": site.codex_url,
            "CHATGPT_TOKEN_DIR": str(tokens),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_MODE": "PRODUCTION",
        },
    )


LITELLM = Opponent(
    package=Package(registry="pypi", name="litellm", version="1.106.2", extras="proxy"),
    paths={
        "chat": "/v1/chat/completions",
        "messages": "/v1/messages",
        "responses": "/v1/responses",
    },
    command=_command,
    headers={"authorization": f"Bearer {KEY}"},
)
