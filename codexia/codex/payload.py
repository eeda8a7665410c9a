"""Reading the backend's payloads.

What is absent, null or of another type than it should be reads as empty, so that a change
in one corner of the backend's events never breaks the rest of an answer.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


def text_at(payload: Json, key: str) -> str:
    """Return a string, "" for anything else."""
    value = payload.get(key)
    return value if isinstance(value, str) else ""


def number_at(payload: Json, key: str) -> int:
    """Return an integer, 0 for anything else."""
    value = payload.get(key)
    return value if isinstance(value, int) else 0


def child_at(payload: Json, key: str) -> Json:
    """Return an object, an empty one for anything else."""
    value = payload.get(key)
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def children_at(payload: Json, key: str) -> list[Json]:
    """Return the objects of a list; an entry that is none becomes an empty one.

    Positions are kept, since parts are known by their number.
    """
    value = payload.get(key)
    if not isinstance(value, list):
        return []
    return [entry if isinstance(entry, dict) else {} for entry in value]  # pyright: ignore[reportUnknownVariableType]
