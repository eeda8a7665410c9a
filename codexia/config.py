"""Settings: what they are, where each value comes from, and what is wrong with one.

Precedence is flag > environment > config.json > default, key by key. A key that is unknown
in config.json is a warning; a value that is wrong is a `ConfigError`, and the file as a whole
does not count. The environment variable of a key is `CODEXIA_` and its name in capitals.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path  # noqa: TC003 - pydantic resolves it at run time
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from codexia import __version__
from codexia.codex.upstream import DEFAULT_BASE_URL, DEFAULT_CLIENT_VERSION, DEFAULT_ORIGINATOR
from codexia.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

Source = Literal["flag", "environment", "config.json", "default"]

DEFAULT_PORT: Final = 14550
MAX_DEFAULT_WORKERS: Final = 4


def default_workers() -> int:
    """Return the number of cores this process may use, at most four."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return min(cores, MAX_DEFAULT_WORKERS)


class ApiKey(BaseModel):
    """A local key with a name that logs and counters may show."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(min_length=1, max_length=64)
    key: SecretStr = Field(min_length=1)


class Settings(BaseModel):
    """Every setting, with its default."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    bind_host: str = "127.0.0.1"
    bind_port: int = Field(default=DEFAULT_PORT, ge=0, le=65535)
    workers: int = Field(default_factory=default_workers, ge=1, le=64)
    api_key: SecretStr | None = None
    api_keys: tuple[ApiKey, ...] = ()
    model_fallback: str = "gpt-5.5"
    model_aliases: dict[str, str] = Field(default_factory=dict)
    models: tuple[str, ...] | None = None
    auth_file: Path | None = None
    upstream_base_url: str = DEFAULT_BASE_URL
    oauth_issuer: str = "https://auth.openai.com"
    originator: str = DEFAULT_ORIGINATOR
    user_agent: str = f"codexia/{__version__}"
    client_version: str = DEFAULT_CLIENT_VERSION
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    upstream_idle_timeout_s: float = Field(default=300, gt=0)
    ping_interval_s: float = Field(default=10, gt=0)
    batch_concurrency: int = Field(default=4, ge=1, le=256)
    response_store_max_mb: int = Field(default=512, ge=0)
    response_store_max_age_h: float = Field(default=720, gt=0)
    log_level: Literal["error", "warning", "info", "debug"] = "warning"

    @field_validator("upstream_base_url", "oauth_issuer")
    @classmethod
    def _is_http_url(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")

    @field_validator("api_key", mode="before")
    @classmethod
    def _blank_key_is_none(cls, value: Any) -> Any:
        return None if value == "" else value

    @property
    def keys(self) -> tuple[ApiKey, ...]:
        """All local keys, the single `api_key` under the name `default`."""
        single = () if self.api_key is None else (ApiKey(name="default", key=self.api_key),)
        return single + self.api_keys

    @property
    def loopback(self) -> bool:
        """Whether only this host can reach the bind address."""
        if self.bind_host == "localhost":
            return True
        try:
            return ip_address(self.bind_host).is_loopback
        except ValueError:
            return False


RESTART_KEYS: Final = frozenset({"bind_host", "bind_port", "workers"})
"""Settings that take a new generation of workers; all others are live in the running one."""

KEYS: Final = tuple(Settings.model_fields)
ENVIRONMENT: Final = {
    key: f"CODEXIA_{key.upper()}" for key in KEYS if key not in {"api_keys", "model_aliases"}
}
"""Environment variable by key. Lists are separated by commas."""

_LISTS: Final = frozenset({"models", "allowed_hosts", "allowed_origins"})


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
        raw = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(str(path), "file", error.strerror or "cannot be read") from error
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
        first = error.errors(include_input=False, include_url=False)[0]
        key = str(first["loc"][0])
        raise ConfigError(_name_of(sources[key], key, path), key, first["msg"]) from None
    if not settings.loopback and not settings.keys:
        raise ConfigError(
            _name_of(sources["bind_host"], "bind_host", path),
            "bind_host",
            f"{settings.bind_host} can be reached from other hosts; set an api_key first",
        )
    unknown = tuple(f"{path}: unknown key {key!r} is ignored" for key in file if key not in sources)
    return Resolved(settings, sources, unknown)


def parse_bind(bind: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`; IPv6 hosts may stand in brackets.

    Raises:
        ConfigError: it is not of that form.
    """
    host, separator, port = bind.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError("--bind", "bind", f"{bind!r} is not HOST:PORT, e.g. 127.0.0.1:14550")
    return host.strip("[]"), int(port)


def _environment_values(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, variable in ENVIRONMENT.items():
        text = environ.get(variable)
        if text:
            values[key] = [part.strip() for part in text.split(",")] if key in _LISTS else text
    return values


def _name_of(source: Source, key: str, path: Path) -> str:
    match source:
        case "flag":
            return "command line"
        case "environment":
            return ENVIRONMENT[key]
        case _:
            return str(path)
