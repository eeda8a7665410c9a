"""The smallest value that a JSON Schema accepts: what a model would answer at its laziest.

Covers what tool and answer schemas use in practice: local `$ref`, `enum`, `const`, `anyOf`,
`oneOf`, `allOf`, lengths, bounds and the usual `format`s. It is no general solver: `pattern`,
`not` and `dependentSchemas` are ignored.
"""

from __future__ import annotations

import math
from typing import Any, cast

Schema = dict[str, Any]

DEPTH_LIMIT = 32
"""Deepest nesting; a schema that *requires* itself has no finite instance."""

OPTIONAL_DEPTH_LIMIT = 6
"""Deepest nesting of what may be left out: array elements, and values that may be null."""

_FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "email": "a@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
}


def minimal_instance(schema: Schema | bool, root: Schema | None = None, depth: int = 0) -> Any:
    """Return a minimal valid instance: string "hi", integer 1, number 1.5, required keys only.

    An array holds one element where the schema allows one, so that the element type shows.
    """
    if isinstance(schema, bool) or depth > DEPTH_LIMIT:
        return None
    root = schema if root is None else root
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for alternatives in ("anyOf", "oneOf"):
        if alternatives in schema:
            return minimal_instance(
                _merged(schema, _simplest(schema[alternatives], root, depth)), root, depth + 1
            )
    return _typed(schema, root, depth)


def _typed(schema: Schema, root: Schema, depth: int) -> Any:
    match _type_of(schema):
        case "object":
            return _object(schema, root, depth)
        case "array":
            return _array(schema, root, depth)
        case kind:
            return _scalar(kind, schema)


def _scalar(kind: str, schema: Schema) -> Any:
    match kind:
        case "integer":
            return math.ceil(_within(schema, 1))
        case "number":
            return _within(schema, 1.5)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _string(schema)


def _object(schema: Schema, root: Schema, depth: int) -> dict[str, Any]:
    properties: Schema = schema.get("properties") or {}
    required: list[str] = schema.get("required") or []
    return {name: minimal_instance(properties.get(name, {}), root, depth + 1) for name in required}


def _array(schema: Schema, root: Schema, depth: int) -> list[Any]:
    prefix: list[Schema] = schema.get("prefixItems") or []
    if prefix:
        return [minimal_instance(each, root, depth + 1) for each in prefix]
    count = max(1 if depth < OPTIONAL_DEPTH_LIMIT else 0, schema.get("minItems", 0))
    if min(count, schema.get("maxItems", count)) < 1:
        return []
    element = minimal_instance(schema.get("items", {}), root, depth + 1)
    if schema.get("uniqueItems") and count > 1:
        return _distinct(schema.get("items", {}), element, count)
    return [element] * count


def _distinct(items: Schema, element: Any, count: int) -> list[Any]:
    """Return `count` different elements, as far as an enum or a plain type gives them."""
    if "enum" in items:
        return items["enum"][:count]
    if isinstance(element, str):
        return [f"{element}{number}" for number in range(count)]
    return [element + number for number in range(count)]


def _string(schema: Schema) -> str:
    text = _FORMATS.get(schema.get("format", ""), "hi")
    text = text.ljust(schema.get("minLength", 0), "x")
    return text[: schema.get("maxLength", len(text))]


def _within(schema: Schema, wanted: float) -> float:
    lowest = schema.get("minimum", -math.inf)
    above = schema.get("exclusiveMinimum")
    if above is not None:
        lowest = max(lowest, above + 1)
    highest = schema.get("maximum", math.inf)
    below = schema.get("exclusiveMaximum")
    if below is not None:
        highest = min(highest, below - 1)
    value = min(max(wanted, lowest), highest)
    step = schema.get("multipleOf")
    return math.ceil(value / step) * step if step else value


def _type_of(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        names = cast("list[str]", kind)
        return next((name for name in names if name != "null"), "null")
    if kind is None:
        return "object" if "properties" in schema else "array" if "items" in schema else "string"
    return kind


def _resolved(schema: Schema, root: Schema) -> Schema:
    """Return the schema with its `$ref` followed and its `allOf` folded in."""
    for _ in range(DEPTH_LIMIT):
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            break
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        schema = _merged(beside, _target(reference, root))
    parts: list[Schema] = schema.get("allOf") or []
    for part in parts:
        schema = _merged(schema, _resolved(part, root))
    return schema


def _target(reference: str, root: Schema) -> Schema:
    found: Any = root
    for step in reference.removeprefix("#").split("/")[1:]:
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found


def _simplest(alternatives: list[Schema], root: Schema, depth: int) -> Schema:
    """Return the first alternative that is a plain value; deep down also null."""
    resolved = [_resolved(each, root) for each in alternatives]
    composite = ("object", "array", "null")
    plain = [each for each in resolved if _type_of(each) not in composite and "anyOf" not in each]
    leaf = [each for each in resolved if not each.get("required") and _type_of(each) != "null"]
    null = [each for each in resolved if _type_of(each) == "null"]
    return next(iter(plain or leaf or (null if depth > OPTIONAL_DEPTH_LIMIT else []) or resolved))


def _merged(schema: Schema, part: Schema) -> Schema:
    merged = {
        key: value for key, value in schema.items() if key not in ("anyOf", "oneOf", "allOf")
    } | part
    for key in ("properties", "required"):
        if key in schema and key in part:
            together = schema[key] | part[key] if key == "properties" else schema[key] + part[key]
            merged[key] = together
    return merged
