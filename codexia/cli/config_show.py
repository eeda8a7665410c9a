"""What `codexia config show` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from codexia.config_status import ConfigStatus


def gateway_config() -> ConfigStatus | None:
    """Return what the running gateway has in force, None where none runs."""
    from codexia.config_status import ConfigStatus
    from codexia.control_client import ControlClient
    from codexia.errors import NotFound, SupervisorUnavailable
    from codexia.paths import Home

    client = ControlClient(Home.from_environment().control_socket)
    try:
        return ConfigStatus.model_validate(client.call("GET", "/config"))
    except (SupervisorUnavailable, NotFound):
        return None


def as_report(
    path: Path,
    values: Mapping[str, Any],
    sources: Mapping[str, str],
    gateway: ConfigStatus | None,
) -> dict[str, Any]:
    """Return everything, for scripts."""
    return {
        "path": str(path),
        "settings": {key: {"value": values[key], "source": sources[key]} for key in values},
        "gateway": None if gateway is None else gateway.model_dump(exclude={"path"}),
    }


def as_lines(
    values: Mapping[str, Any], sources: Mapping[str, str], gateway: ConfigStatus | None
) -> list[str]:
    """Return a line a setting, and what a person should know besides."""
    texts = {key: text_of(value) for key, value in values.items()}
    width = max(map(len, texts))
    value_width = min(40, max(map(len, texts.values())))
    lines = [
        f"{key:<{width}}  {text:<{value_width}}  {sources[key]}{_in_force(key, values, sources, gateway)}"
        for key, text in texts.items()
    ]
    if gateway is not None:
        lines += [f"warning: {warning}" for warning in gateway.warnings]
        if gateway.problem:
            lines.append(f"problem: {gateway.problem}")
    return lines


def text_of(value: Any) -> str:
    """Return a value for people."""
    import orjson

    if value is None:
        return "none"
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _in_force(
    key: str, values: Mapping[str, Any], sources: Mapping[str, str], gateway: ConfigStatus | None
) -> str:
    """Return what a running gateway has instead, "" where it has the same."""
    held = gateway.values.get(key) if gateway else None
    if held is None:
        return ""
    # Of secrets only the sources can be compared.
    same = held.value == values[key] or key in {"api_key", "api_keys"}
    if same and held.source == sources[key]:
        return ""
    return f"; the running gateway has {text_of(held.value)} ({held.source})"
