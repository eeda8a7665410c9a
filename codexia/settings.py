"""Every setting: its type, its limits, its default and what it means."""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from pathlib import Path  # noqa: TC003 - pydantic resolves it at run time
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from codexia import __version__
from codexia.addresses import host_and_port
from codexia.codex.upstream import DEFAULT_BASE_URL, DEFAULT_CLIENT_VERSION, DEFAULT_ORIGINATOR

DEFAULT_PORT: Final = 14550
MAX_DEFAULT_WORKERS: Final = 4
LONGEST_S: Final = 86_400
LONGEST_H: Final = 876_000

_NAME: Final = r"^\S+$"
_HEADER: Final = re.compile(r"[!-~]([ -~]*[!-~])?")
"""What a header can carry unchanged; the keys of clients come in headers too."""


def default_workers() -> int:
    """Return the number of cores this process may use, at most four."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return min(cores, MAX_DEFAULT_WORKERS)


class ApiKey(BaseModel):
    """A local key with a name that logs and counters may show.

    Attributes:
        concurrency: how many streams it may have at once.
        models: names of the models that it may use.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(min_length=1, max_length=64)
    key: SecretStr = Field(min_length=1)
    concurrency: int | None = Field(default=None, ge=1, le=100_000)
    models: tuple[str, ...] | None = Field(default=None, min_length=1)

    @field_validator("key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr) -> SecretStr:
        return _sendable(value)


class Settings(BaseModel):
    """Every setting, with its default and what it means, for the README and the schema."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    bind_host: str = Field(
        default="127.0.0.1",
        pattern=_NAME,
        description="where to listen; any other than loopback needs a key",
    )
    bind_port: int = Field(
        default=DEFAULT_PORT, ge=0, le=65535, description="where to listen; `0` takes a free port"
    )
    workers: int = Field(
        default_factory=default_workers, ge=1, le=64, description="worker processes"
    )
    api_key: SecretStr | None = Field(
        default=None,
        description="local key that clients must send, as `Authorization: Bearer` or `x-api-key`",
    )
    api_keys: tuple[ApiKey, ...] = Field(
        default=(),
        description='more keys: `[{"name": "...", "key": "...", "concurrency": 4, '
        '"models": ["gpt-5.5"]}]`; the last two are optional. See [Overload](#overload)',
    )
    model_fallback: str = Field(
        default="gpt-5.5", pattern=_NAME, description="stands in for Anthropic's model names"
    )
    model_aliases: dict[str, str] = Field(
        default_factory=dict,
        description='your names for models: `{"fast": "gpt-6-luna", "claude-deep": "gpt-6-sol-high"}`',
    )
    models: tuple[str, ...] | None = Field(
        default=None, description="overrides what `/v1/models` lists"
    )
    auth_file: Path | None = Field(default=None, description="where the login is kept")
    upstream_base_url: str = Field(default=DEFAULT_BASE_URL, description="the Codex backend")
    oauth_issuer: str = Field(default="https://auth.openai.com", description="the login server")
    originator: str = Field(
        default=DEFAULT_ORIGINATOR, description="who we say we are to backend and login server"
    )
    user_agent: str = Field(
        default=f"codexia/{__version__}", description="likewise, as the `User-Agent`"
    )
    client_version: str = Field(
        default=DEFAULT_CLIENT_VERSION,
        description="version of Codex CLI whose models the backend offers us",
    )
    allowed_hosts: tuple[str, ...] = Field(default=(), description="more `Host` names to answer to")
    allowed_origins: tuple[str, ...] = Field(
        default=(), description="web origins that may call, with CORS"
    )
    body_timeout_s: float = Field(
        default=60,
        gt=0,
        le=LONGEST_S,
        allow_inf_nan=False,
        description="how long a request's body may take, and a second more for each 16 KiB of it",
    )
    upstream_idle_timeout_s: float = Field(
        default=300,
        gt=0,
        le=LONGEST_S,
        allow_inf_nan=False,
        description="longest silence of the backend",
    )
    upstream_transport: Literal["auto", "http", "websocket"] = Field(
        default="http",
        description="how answers are asked for: `http`, `websocket`, or `auto` for what the "
        "model's entry in the catalogue prefers. See [Transport to the backend]"
        "(#transport-to-the-backend)",
    )
    ping_interval_s: float = Field(
        default=10,
        gt=0,
        le=LONGEST_S,
        allow_inf_nan=False,
        description="longest silence that a client is left in",
    )
    max_upstream_streams: int = Field(
        default=256,
        ge=0,
        le=100_000,
        description="answers of the backend that run at once, over all workers; more requests "
        "wait. `0` for no cap",
    )
    queue_timeout_s: float = Field(
        default=60,
        gt=0,
        le=LONGEST_S,
        allow_inf_nan=False,
        description="longest that a request waits for its turn",
    )
    max_request_memory_mb: int = Field(
        default=512,
        ge=1,
        le=1_000_000,
        description="bodies of requests that one worker holds at once",
    )
    batch_concurrency: int = Field(
        default=4, ge=1, le=256, description="requests of message batches that run at once"
    )
    response_store_max_mb: int = Field(
        default=512,
        ge=0,
        le=1_000_000,
        description="room for stored responses, compressed; the oldest make way. `0` stores none",
    )
    response_store_max_age_h: float = Field(
        default=720,
        gt=0,
        le=LONGEST_H,
        allow_inf_nan=False,
        description="how long a stored response is kept",
    )
    log_level: Literal["error", "warning", "info", "debug"] = Field(
        default="warning", description="`error`, `warning`, `info`, `debug`"
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="`text`, or `json` for one object a line"
    )
    metrics_bind: str | None = Field(
        default=None,
        description="`HOST:PORT` where `/metrics` is served without a key, and nothing else. "
        "See [Metrics](#metrics)",
    )
    record: Literal["off", "errors", "all"] = Field(
        default="off",
        description="which exchanges with clients are recorded: `off`, `errors`, `all`. "
        "**Prompts and answers are in them.** See [Recordings](#recordings)",
    )
    record_content: bool = Field(
        default=True, description="`false` leaves texts out of recordings, all but their lengths"
    )
    record_max_mb: int = Field(
        default=64, ge=1, le=1_000_000, description="room for recordings; the oldest make way"
    )

    @field_validator("upstream_base_url", "oauth_issuer")
    @classmethod
    def _is_http_url(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        parts = urlsplit(value)
        if not parts.hostname or parts.port == 0 or not _HEADER.fullmatch(value) or " " in value:
            raise ValueError("must be an address such as https://example.org/path")
        return value.rstrip("/")

    @field_validator("metrics_bind")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if not value:
            return None
        host_and_port(value)
        return value

    @field_validator("originator", "user_agent", "client_version")
    @classmethod
    def _is_header_value(cls, value: str) -> str:
        if not _HEADER.fullmatch(value):
            raise ValueError("must be printable ASCII without blanks around it")
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _without_slash(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(origin.rstrip("/") for origin in value)

    @field_validator("api_keys")
    @classmethod
    def _has_unique_names(cls, value: tuple[ApiKey, ...]) -> tuple[ApiKey, ...]:
        if len({key.name for key in value}) < len(value):
            raise ValueError("two keys have the same name")
        return value

    @field_validator("api_key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None else _sendable(value)

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
    def stream_caps(self) -> dict[str, int]:
        """How many streams may run at once, by name of the local key, and "" for all together."""
        caps = {key.name: key.concurrency for key in self.api_keys if key.concurrency}
        return caps | ({"": self.max_upstream_streams} if self.max_upstream_streams else {})

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """Host and port of `metrics_bind`."""
        return host_and_port(self.metrics_bind) if self.metrics_bind else None

    @property
    def loopback(self) -> bool:
        """Whether only this host can reach the bind address."""
        if self.bind_host == "localhost":
            return True
        try:
            return ip_address(self.bind_host).is_loopback
        except ValueError:
            return False


def _sendable(key: SecretStr) -> SecretStr:
    if not _HEADER.fullmatch(key.get_secret_value()):
        raise ValueError("must be printable ASCII without blanks around it")
    return key
