"""What a supervisor would start workers with, for tests that run their code in their own process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from codexia.codex.upstream import DEFAULT_CLIENT_VERSION, DEFAULT_ORIGINATOR
from codexia.control import GenerationSpec, Login, ModelRules, Snapshot, UpstreamIdentity

if TYPE_CHECKING:
    from pathlib import Path

NOWHERE = "http://127.0.0.1:1"


def generation_spec(
    upstream_url: str = NOWHERE,
    credentials: bytes | None = None,
    control_socket: Path | None = None,
    **changes: Any,
) -> GenerationSpec:
    """Return the specification of a generation that listens nowhere.

    Args:
        upstream_url: of the simulator.
        credentials: an auth.json of it; without one there is no login.
        control_socket: of the supervisor; without it there is none.
        changes: of the snapshot.
    """
    fields = {
        "revision": 1,
        "login": credentials and Login(revision=1, **orjson.loads(credentials)),
        "upstream": UpstreamIdentity(
            base_url=f"{upstream_url}/backend-api",
            originator=DEFAULT_ORIGINATOR,
            user_agent="codexia/test",
            client_version=DEFAULT_CLIENT_VERSION,
        ),
        "models": ModelRules(ids=("gpt-5.5",), fallback="gpt-5.5"),
        "bind_host": "127.0.0.1",
        "bind_port": 14550,
        "upstream_idle_timeout_s": 10,
        "ping_interval_s": 10,
        "log_level": "warning",
    }
    snapshot = Snapshot(**fields | changes)
    snapshot.model_table()  # reads the built-in catalogue, as the generation does at its start
    return GenerationSpec(
        generation=7,
        version="test",
        workers=1,
        bind_host=snapshot.bind_host,
        bind_port=snapshot.bind_port,
        listener_fd=-1,
        control_socket=str(control_socket or ""),
        generation_socket=str(control_socket or ""),
        snapshot=snapshot,
    )
