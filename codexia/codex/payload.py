"""Reading the backend's payloads.

What is absent, null or of another type than it should be reads as empty, so that a change
in one corner of the backend's events never breaks the rest of an answer.
"""

from __future__ import annotations

from math import isfinite
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


def amount_at(payload: Json, key: str) -> float | None:
    """Return a number, also one that is written as text; None for anything else."""
    return number_of(payload.get(key))


def number_of(value: object) -> float | None:
    """Return the number that a value is or spells; None where it is none, or not finite."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return None
    return number if isfinite(number) else None


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
