"""Whether a JSON schema keeps the rules of OpenAI's strict mode.

The rules are those of https://platform.openai.com/docs/guides/structured-outputs: an object
at the root, every object closed, every property required, and only keywords that the
backend can enforce. A schema that breaks one is refused in strict mode, so it is sent
without.
"""

from __future__ import annotations

from typing import Any, Final

from codexia.codex.payload import child_at

MAX_DEPTH: Final = 10
"""Levels of nesting that strict mode takes."""

KEYWORDS: Final = frozenset(
    {
        "$defs",
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "definitions",
        "description",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "items",
        "maxItems",
        "maximum",
        "minItems",
        "minimum",
        "multipleOf",
        "pattern",
        "properties",
        "required",
        "title",
        "type",
    }
)


def is_strict(schema: dict[str, Any]) -> bool:
    """Return whether strict mode would take `schema`."""
    if schema.get("type") != "object" or "anyOf" in schema:
        return False
    waiting: list[tuple[Any, int]] = [(schema, 0)]
    while waiting:
        node, depth = waiting.pop()
        if not isinstance(node, dict) or depth > MAX_DEPTH:
            return False
        keywords: dict[str, Any] = node  # pyright: ignore[reportUnknownVariableType]
        if not _is_strict_node(keywords):
            return False
        waiting += [(child, depth + 1) for child in _children(keywords)]
    return True


def _is_strict_node(node: dict[str, Any]) -> bool:
    if not node.keys() <= KEYWORDS:
        return False
    kind = node.get("type")
    if kind != "object" and not (isinstance(kind, list) and "object" in kind):
        return True
    required = node.get("required", [])
    return (
        node.get("additionalProperties") is False
        and isinstance(required, list)
        and all(name in required for name in child_at(node, "properties"))
    )


def _children(node: dict[str, Any]) -> list[Any]:
    children: list[Any] = []
    for keyword in ("properties", "$defs", "definitions"):
        named = node.get(keyword, {})
        children += named.values() if isinstance(named, dict) else [None]
    choices = node.get("anyOf", [])
    children += choices if isinstance(choices, list) else [None]
    if "items" in node:
        children.append(node["items"])
    return children
