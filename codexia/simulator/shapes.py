"""Decoded JSON, seen as the shape that it is expected to have."""

from __future__ import annotations

from typing import Any, cast

JsonObject = dict[str, Any]


def as_object(value: Any) -> JsonObject | None:
    """Return the value if it is an object, else None."""
    # orjson makes no other keys than strings
    return cast("JsonObject", value) if isinstance(value, dict) else None


def as_list(value: Any) -> list[Any] | None:
    """Return the value if it is an array, else None."""
    return cast("list[Any]", value) if isinstance(value, list) else None
