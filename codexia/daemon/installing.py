"""From the options of `codexia daemon install` to a service file and saved settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codexia.config import ENVIRONMENT, read_config_file
from codexia.config_file import ConfigFile
from codexia.daemon.launch_agent import log_file_in
from codexia.daemon.program import Program, carried_environment, serve_command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codexia.daemon.service import ServiceManager
    from codexia.paths import Home


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installation did.

    Attributes:
        changed: whether the service file is another than before.
        saved: settings that went to config.json.
        carried: variables that went to the service file.
        left_out: variables that did not, since they hold a password.
    """

    changed: bool
    saved: tuple[str, ...]
    carried: tuple[str, ...]
    left_out: tuple[str, ...]


def install(
    manager: ServiceManager,
    home: Home,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    executable: Path | None = None,
) -> Installed:
    """Save the options, write the service file and have the service start by itself.

    Options and the local key go to config.json, where they can be edited; no secret is in argv or
    in the service file.

    Raises:
        DaemonError: the service manager does not answer, or a path cannot be written to its file.
        ConfigError: an option is wrong, or config.json was before.
    """
    manager.check()
    given = dict(flags)
    key = environ.get(ENVIRONMENT["api_key"])
    if key:
        given.setdefault("api_key", key)
    if "auth_file" in given:
        given["auth_file"] = str(Path(given["auth_file"]).expanduser().absolute())
    home.create()
    environment, left_out = carried_environment(environ, home, given)
    program = Program(serve_command(executable), environment, log_file_in(home.root))
    saved = _save(home, given, environment)
    changed = manager.install(program)
    carried = tuple(name for name in environment if name in environ)
    return Installed(changed, saved, carried, left_out)


def _save(home: Home, given: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the keys that config.json did not have so before."""
    before = read_config_file(home.config_file)
    ConfigFile(home, environ).change(lambda content: {**content, **given})
    return tuple(key for key, value in given.items() if before.get(key) != value)
