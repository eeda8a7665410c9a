"""What `strict: true` asks of a schema, in tools and in answers alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codexia.simulator.shapes import JsonObject, as_list, as_object

if TYPE_CHECKING:
    from collections.abc import Iterator


def strict_schema_problems(node: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield why a schema cannot be enforced: each object must be closed, all of it required."""
    for index, each in enumerate(as_list(node) or []):
        yield from strict_schema_problems(each, (*path, str(index)))
    schema = as_object(node)
    if schema is None:
        return
    if "properties" in schema or schema.get("type") == "object":
        yield from _open_object_problems(schema, path)
    for key in ("properties", "$defs", "definitions"):
        for name, inner in (as_object(schema.get(key)) or {}).items():
            yield from strict_schema_problems(inner, (*path, key, name))
    for key in ("items", "anyOf", "allOf"):
        yield from strict_schema_problems(schema.get(key), (*path, key))


def _open_object_problems(schema: JsonObject, path: tuple[str, ...]) -> Iterator[str]:
    context = f"In context=({', '.join(repr(step) for step in path)})"
    if schema.get("additionalProperties") is not False:
        yield f"{context}, 'additionalProperties' is required to be supplied and to be false."
    properties: JsonObject = schema.get("properties") or {}
    required: list[str] = schema.get("required") or []
    missing = [name for name in properties if name not in required]
    if missing:
        yield (
            f"{context}, 'required' is required to be supplied and to be an array including "
            f"every key in properties. Missing '{missing[0]}'."
        )
