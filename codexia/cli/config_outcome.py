"""What becomes of a changed config.json: said after every change."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Collection

    from codexia.config_file import ConfigFile
    from codexia.config_status import ConfigStatus
    from codexia.control_client import ControlClient

GENERATION_WAIT_S: Final = 15.0
POLL_S: Final = 0.1


def tell(file: ConfigFile, keys: Collection[str], *, saved: bool = True) -> None:
    """Let the running gateway read the file at once, and say what is in force.

    Args:
        file: that was changed.
        keys: that changed in it.
        saved: say so.
    """
    from codexia.config_file import variable_of

    if saved:
        typer.echo(f"saved {file.path}", err=True)
    for key in keys:
        if variable := variable_of(key, os.environ):
            typer.echo(f"warning: {variable} of this shell overrides {key}", err=True)
    for line in _gateway_lines(keys):
        typer.echo(line, err=True)


def _gateway_lines(keys: Collection[str]) -> list[str]:
    from codexia.config_status import ConfigStatus
    from codexia.control_client import ControlClient
    from codexia.errors import NotFound, SupervisorUnavailable
    from codexia.paths import Home

    client = ControlClient(Home.from_environment().control_socket)
    try:
        config = ConfigStatus.model_validate(client.call("POST", "/config/reload"))
        if config.problem:
            return [f"warning: the running gateway refuses it: {config.problem}"]
        return [*_warnings(config, keys), _outcome(client, config, keys)]
    except (SupervisorUnavailable, NotFound):
        return ["no gateway runs; it counts from the next start on"]


def _warnings(config: ConfigStatus, keys: Collection[str]) -> list[str]:
    from codexia.config import ENVIRONMENT

    pins = {"flag": "its command line", "environment": "its environment"}
    return [
        f"warning: {key} stays as it is in the running gateway, {pins[held.source]} pins it"
        + (f" ({ENVIRONMENT[key]})" if held.source == "environment" else "")
        for key, held in config.values.items()
        if key in keys and held.source in pins
    ]


def _outcome(client: ControlClient, config: ConfigStatus, keys: Collection[str]) -> str:
    from codexia.config import RESTART_KEYS

    free = {key for key in keys if config.values[key].source not in {"flag", "environment"}}
    if not free:
        return "nothing changed in the running gateway"
    if not free & RESTART_KEYS:
        return "in force in the running gateway"
    return _after_new_generation(client)


def _after_new_generation(client: ControlClient) -> str:
    """Wait until new workers serve, if any have to come, and return what to say."""
    deadline = time.monotonic() + GENERATION_WAIT_S
    while time.monotonic() < deadline:
        time.sleep(POLL_S)
        now = client.status()
        if now.settled:
            return f"in force, workers serve at http://{now.bind}; open streams end where they are"
        if now.workers_problem:
            return f"warning: {now.workers_problem}; what ran before serves on"
    return "new workers are on their way; `codexia status` shows them"
