"""Options that several commands have, and what they mean together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

if TYPE_CHECKING:
    from codexia.config import Settings
    from codexia.paths import Home


def _checked_bind(bind: str | None) -> str | None:
    """Return an address as it was given, or make a usage error of a malformed one."""
    from codexia.config import parse_bind
    from codexia.errors import ConfigError

    if bind is not None:
        try:
            parse_bind(bind)
        except ConfigError as error:
            raise typer.BadParameter(error.reason) from error
    return bind


Verbose = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        show_default=False,
        help="Log one line a request; twice for details.",
    ),
]
Bind = Annotated[
    str | None,
    typer.Option(
        "--bind",
        metavar="HOST:PORT",
        callback=_checked_bind,
        help="Where to listen. [default: 127.0.0.1:14550]",
    ),
]
SimulatorBind = Annotated[
    str,
    typer.Option(
        "--bind",
        metavar="HOST:PORT",
        callback=_checked_bind,
        help="Where to listen; port 0 takes a free one.",
    ),
]
AuthFile = Annotated[
    Path | None,
    typer.Option(
        "--auth-file",
        metavar="FILE",
        help="Where the login is kept. [default: ~/.codexia/auth.json]",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        max=64,
        help="Worker processes; by default one a core, at most 4.",
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        metavar="KEY",
        help="Local key that clients must send. Other users of this host can read it in the process "
        "list; prefer CODEXIA_API_KEY or config.json.",
    ),
]
ModelFallback = Annotated[
    str | None,
    typer.Option(
        "--model-fallback",
        metavar="MODEL",
        help="Model that stands in for claude-* names. [default: gpt-5.5]",
    ),
]
LogFormat = Annotated[
    Literal["text", "json"] | None,
    typer.Option(
        "--log-format",
        help="How the log looks: text, or json for one object a line. [default: text]",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

LOG_LEVELS: Final = ("warning", "info", "debug")


def flag_settings(
    *,
    bind: str | None = None,
    verbosity: int = 0,
    **settings: Any,
) -> dict[str, Any]:
    """Return the settings that the command line gives; keys that it leaves open are absent.

    Raises:
        ConfigError: `bind` is not `HOST:PORT`.
    """
    from codexia.config import parse_bind

    flags = {key: value for key, value in settings.items() if value is not None}
    if bind is not None:
        flags["bind_host"], flags["bind_port"] = parse_bind(bind)
    if verbosity:
        flags["log_level"] = LOG_LEVELS[min(verbosity, len(LOG_LEVELS) - 1)]
    return flags


def settings_in_force(home: Home, flags: dict[str, Any]) -> Settings:
    """Return the settings of a command that runs by itself.

    Raises:
        ConfigError: a value is wrong.
    """
    import os

    from codexia.config import read_config_file, resolve

    file = read_config_file(home.config_file)
    return resolve(flags, os.environ, file, home.config_file).settings
