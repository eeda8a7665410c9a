"""What `codexia daemon status` shows: the service manager's account beside the gateway's own."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson

from codexia.cli.status_lines import NOT_RUNNING, lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codexia.account import AccountStatus
    from codexia.control import SupervisorStatus
    from codexia.daemon.service import ServiceManager, ServiceState
    from codexia.paths import Home


def service_lines(
    manager: ServiceManager, state: ServiceState, running: SupervisorStatus | None, home: Home
) -> Iterator[tuple[str, str]]:
    """Yield what the service manager says, and what is to be done about it."""
    yield "service", _service_text(manager, state)
    yield "service_file", str(manager.file)
    if state.memory_bytes:
        yield "memory", f"{state.memory_bytes / 2**20:.0f} MiB"
    yield "home", str(home.root)
    if running and running.pid != state.pid:
        yield "problem", f"`codexia serve` runs as process {running.pid}, not under {manager.name}"
    elif not state.installed:
        yield "next", "codexia daemon install --now"
    elif state.pid is None:
        yield "next", "codexia daemon start"


def gateway_lines(
    running: SupervisorStatus | None, account: AccountStatus | None
) -> Iterator[tuple[str, str]]:
    """Yield what the gateway says of itself, as `codexia status` does."""
    if account:
        yield from lines(account)
    elif running:
        yield "gateway", f"http://{running.bind} (codexia {running.version}, pid {running.pid})"
    else:
        yield "gateway", NOT_RUNNING.partition(";")[0]


def as_json(
    manager: ServiceManager,
    state: ServiceState,
    running: SupervisorStatus | None,
    account: AccountStatus | None,
) -> bytes:
    """Return all of it as one JSON object; what is not known is null."""
    service = {"manager": manager.name, "file": str(manager.file), **asdict(state)}
    return orjson.dumps(
        {
            "service": service,
            "supervisor": running and running.model_dump(mode="json"),
            "status": account and account.model_dump(mode="json"),
        },
        option=orjson.OPT_INDENT_2,
    )


def _service_text(manager: ServiceManager, state: ServiceState) -> str:
    if not state.installed:
        return f"not installed ({manager.name})"
    parts = [
        state.activity,
        *([f"pid {state.pid}"] if state.pid else []),
        "starts by itself" if state.enabled else "does not start by itself",
        *([f"last run ended: {state.failure}"] if state.failure else []),
    ]
    return f"{', '.join(parts)} ({manager.name})"
