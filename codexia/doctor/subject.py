"""What the checks look at: the home, the settings, and the gateway that runs, if one does."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from codexia.config import pinned_by, read_config_file, resolve
from codexia.control_client import ControlClient, NoSupervisor
from codexia.errors import CodexiaError, ConfigError
from codexia.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from codexia.control import SupervisorStatus
    from codexia.paths import Home

CONTROL_TIMEOUT_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Subject:
    """One home as it is now.

    Attributes:
        settings: in force for a command that runs by itself; defaults where config.json is broken.
        config_problem: what is wrong with the settings, "" when nothing is.
        config_warnings: what of config.json has no effect.
        pinned: what pins a setting against config.json, by its key.
        running: the supervisor's account of itself, None if there is none.
        silence: why there is none although something has the control socket.
    """

    home: Home
    environ: Mapping[str, str]
    settings: Settings
    config_problem: str
    config_warnings: tuple[str, ...]
    pinned: Mapping[str, str]
    running: SupervisorStatus | None
    silence: str

    @property
    def auth_file(self) -> Path:
        """Where the login is."""
        configured = self.settings.auth_file
        return self.home.auth_file if configured is None else configured.expanduser()


def subject_of(home: Home, environ: Mapping[str, str] = os.environ) -> Subject:
    """Return what there is to look at."""
    problem, warnings, pinned = "", (), dict[str, str]()
    try:
        resolved = resolve({}, environ, read_config_file(home.config_file), home.config_file)
        settings, warnings = resolved.settings, resolved.warnings
        for key, source in resolved.sources.items():
            if by := pinned_by(source, key):
                pinned[key] = by
    except ConfigError as error:
        settings, problem = Settings(), error.message
    running, silence = _supervisor(home)
    if running is not None:
        pinned |= running.pinned
    return Subject(home, environ, settings, problem, warnings, pinned, running, silence)


def _supervisor(home: Home) -> tuple[SupervisorStatus | None, str]:
    try:
        return ControlClient(home.control_socket, CONTROL_TIMEOUT_S).status(), ""
    except NoSupervisor:
        return None, ""
    except ValidationError:
        return None, "the gateway that runs is of another version"
    except CodexiaError as error:
        return None, error.message
