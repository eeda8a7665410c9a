"""Settings: what they are, where each value comes from, and what is wrong with one.

Precedence is flag > environment > config.json > default, key by key. A key that is unknown
in config.json is a warning; a value that is wrong is a `ConfigError`, and the file as a whole
does not count. The environment variable of a key is `CODEXIA_` and its name in capitals.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson
from pydantic import ValidationError

from codexia.addresses import host_and_port
from codexia.errors import ConfigError
from codexia.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Source = Literal["flag", "environment", "config.json", "default"]

MAX_FILE_BYTES: Final = 1024 * 1024

RESTART_KEYS: Final = frozenset({"bind_host", "bind_port", "workers"})
"""Settings that take a new generation of workers; all others are live in the running one."""

KEYS: Final = tuple(Settings.model_fields)
ENVIRONMENT: Final = {
    key: f"CODEXIA_{key.upper()}" for key in KEYS if key not in {"api_keys", "model_aliases"}
}
"""Environment variable by key. Lists are separated by commas."""

LISTS: Final = frozenset({"models", "allowed_hosts", "allowed_origins"})
SECRET_KEYS: Final = frozenset({"api_key", "api_keys"})

_NOT_SETTINGS: Final = frozenset({"$schema"})
"""Keys that config.json may hold for the sake of editors."""


class KeyNeeded(ConfigError):
    """Others could use the gateway without a key."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Settings in force.

    Attributes:
        settings: the values.
        sources: where each came from, by key.
        warnings: what was ignored, for people to read.
    """

    settings: Settings
    sources: Mapping[str, Source]
    warnings: tuple[str, ...]


def read_config_file(path: Path) -> dict[str, Any]:
    """Return the keys and values of config.json; none when there is no file.

    Raises:
        ConfigError: the file cannot be read or is not a JSON object.
    """
    try:
        raw = read_raw(path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(str(path), "file", error.strerror or "cannot be read") from error
    return parse_config(raw, path)


def parse_config(raw: bytes, path: Path) -> dict[str, Any]:
    """Return the keys and values of what config.json holds.

    Raises:
        ConfigError: it is not a JSON object, or too large to be meant.
    """
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(str(path), "file", "larger than 1 MiB")
    try:
        content = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        reason = f"not valid JSON at line {error.lineno}, column {error.colno}"
        raise ConfigError(str(path), "file", reason) from error
    if not isinstance(content, dict):
        raise ConfigError(str(path), "file", "must hold a JSON object")
    return content  # pyright: ignore[reportUnknownVariableType]


def resolve(
    flags: Mapping[str, Any], environ: Mapping[str, str], file: Mapping[str, Any], path: Path
) -> Resolved:
    """Return the settings that three sources give together.

    Args:
        flags: keys given on the command line; None values do not count.
        environ: the process environment.
        file: content of config.json; null values do not count.
        path: where that file is, for error texts.

    Raises:
        ConfigError: a value is wrong; names the source, the key and the reason.
    """
    values: dict[str, Any] = {}
    sources: dict[str, Source] = dict.fromkeys(KEYS, "default")
    layers: tuple[tuple[Source, Mapping[str, Any]], ...] = (
        ("config.json", file),
        ("environment", _environment_values(environ)),
        ("flag", flags),
    )
    for source, layer in layers:
        for key, value in layer.items():
            if key in sources and value is not None:
                values[key] = value
                sources[key] = source
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        key = str(error.errors(include_input=False)[0]["loc"][0])
        raise ConfigError(_name_of(sources[key], key, path), key, reason_of(error)) from None
    if not settings.loopback and not settings.keys:
        raise KeyNeeded(
            _name_of(sources["bind_host"], "bind_host", path),
            "bind_host",
            f"{settings.bind_host} can be reached from other hosts; set an api_key first",
        )
    warnings = (*_unknown(file, path), *_overridden(file, settings, sources, path))
    return Resolved(settings, sources, warnings)


def check_file(content: Mapping[str, Any], environ: Mapping[str, str], path: Path) -> None:
    """Return if config.json may hold this.

    Raises:
        ConfigError: a gateway would refuse it, even where it has none of the values from there.
    """
    try:
        resolve({}, {}, content, path)
    except KeyNeeded:
        # The key may be in the environment.
        resolve({}, environ, content, path)


def parse_bind(bind: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`; IPv6 hosts may stand in brackets.

    Raises:
        ConfigError: it is not of that form.
    """
    try:
        return host_and_port(bind)
    except ValueError as error:
        raise ConfigError("--bind", "bind", str(error)) from error


def _environment_values(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, variable in ENVIRONMENT.items():
        text = environ.get(variable)
        if text:
            values[key] = [part.strip() for part in text.split(",")] if key in LISTS else text
    return values


def read_raw(path: Path) -> bytes:
    """Return what a file holds, but of no more than it takes to see that it is too large.

    Raises:
        OSError: there is none, or it is a named pipe, a device or the like, to wait for in vain.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a file", str(path))
        return file.read(MAX_FILE_BYTES + 1)


def reason_of(error: ValidationError) -> str:
    """Return what is wrong first, and where in a list or an object, but not the value."""
    first = error.errors(include_input=False, include_url=False)[0]
    inner = ".".join(str(part) for part in first["loc"][1:])
    message = first["msg"].removeprefix("Value error, ")
    return f"{inner}: {message}" if inner else message


def _unknown(file: Mapping[str, Any], path: Path) -> list[str]:
    return [
        f"{path}: unknown key {key!r} is ignored"
        for key in file
        if key not in KEYS and key not in _NOT_SETTINGS
    ]


def _overridden(
    file: Mapping[str, Any], settings: Settings, sources: Mapping[str, Source], path: Path
) -> list[str]:
    """Return a warning for each value of the file that another source keeps from being in force."""
    return [
        f"{path}: {key} has no effect, {by} pins it"
        for key, value in file.items()
        if value is not None
        and (by := pinned_by(sources.get(key, "default"), key))
        and not _means(key, value, settings)
    ]


def pinned_by(source: Source, key: str) -> str:
    """Return what keeps an edit of config.json from changing a value, "" where nothing does."""
    if source == "flag":
        return "the command line"
    return ENVIRONMENT[key] if source == "environment" else ""


def _means(key: str, value: Any, settings: Settings) -> bool:
    try:
        return getattr(Settings.model_validate({key: value}), key) == getattr(settings, key)
    except ValidationError:
        return False


def _name_of(source: Source, key: str, path: Path) -> str:
    match source:
        case "flag":
            return "command line"
        case "environment":
            return ENVIRONMENT[key]
        case _:
            return str(path)
