"""codex-lb: Chat Completions and Responses, by one uvicorn with SQLite and a pool of accounts."""

from __future__ import annotations

import httpx
import orjson

from bench.opponents.opponent import Command, Opponent, Site
from bench.opponents.package import Package


def _command(site: Site) -> Command:
    return Command(
        (
            *(str(site.program / "bin/codex-lb"), "--host", "127.0.0.1"),
            *("--port", str(site.port)),
        ),
        {
            "CODEX_LB_DATA_DIR": str(site.home / "data"),
            "CODEX_LB_UPSTREAM_BASE_URL": f"{site.simulator_url}/backend-api",
            "CODEX_LB_UPSTREAM_STREAM_TRANSPORT": "http",
            "CODEX_LB_HTTP_RESPONSES_SESSION_BRIDGE_ENABLED": "false",
            # Its limits are for the account's sake; the simulator's has none.
            "CODEX_LB_PROXY_ACCOUNT_STREAM_LIMIT": "0",
            "CODEX_LB_PROXY_ACCOUNT_RESPONSE_CREATE_LIMIT": "0",
        },
    )


def _add_account(site: Site) -> None:
    content = orjson.dumps(site.login.codex_auth_json())
    files = {"auth_json": ("auth.json", content, "application/json")}
    url = f"{site.url}/api/accounts/import"
    httpx.post(url, files=files, timeout=30, trust_env=False).raise_for_status()


CODEX_LB = Opponent(
    package=Package(registry="pypi", name="codex-lb", version="1.24.0", python="3.13"),
    paths={"chat": "/v1/chat/completions", "responses": "/v1/responses"},
    command=_command,
    after_start=_add_account,
)
