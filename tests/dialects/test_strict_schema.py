from __future__ import annotations

import pytest

from codexia.dialects.strict_schema import is_strict


def closed(**properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


TEXT = {"type": "string"}


@pytest.mark.parametrize(
    "schema",
    [
        closed(title=TEXT),
        closed(),
        closed(a={"type": ["string", "null"]}, b={"enum": ["x"]}),
        closed(a={"type": "array", "items": closed(b=TEXT)}),
        closed(a={"anyOf": [closed(b=TEXT), {"type": "null"}]}),
        {**closed(a={"$ref": "#/$defs/n"}), "$defs": {"n": closed(a=TEXT)}},
    ],
)
def test_strict(schema):
    assert is_strict(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        TEXT,
        {"type": "array", "items": TEXT},
        {"anyOf": [closed()]},
        {**closed(), "anyOf": [closed()]},
        {"type": "object", "properties": {}},
        {**closed(a=TEXT), "required": []},
        {**closed(a=TEXT), "required": None},
        {**closed(a=TEXT), "additionalProperties": True},
        closed(a={"type": "string", "maxLength": 3}),
        closed(a={"type": "object"}),
        closed(a={"type": ["object", "null"]}),
        closed(a={"type": "array", "items": {"type": "object"}}),
        closed(a={"anyOf": [{"type": "object"}]}),
        closed(a={"anyOf": {"type": "object"}}),
        closed(a=True),
        {**closed(), "$defs": {"n": {"type": "object"}}},
        {**closed(), "$defs": ["n"]},
        {**closed(), "allOf": []},
    ],
)
def test_not_strict(schema):
    assert not is_strict(schema)


def test_deep_nesting_is_not_strict():
    schema = closed(a=TEXT)
    for _ in range(2000):
        schema = closed(a=schema)
    assert not is_strict(schema)
