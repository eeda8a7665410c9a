"""The minimal instance of a schema is valid, by a validator of its own."""

from __future__ import annotations

import jsonschema
import pytest

from codexia.simulator import minimal_instance

NODE = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
        "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
    },
    "required": ["name"],
}
SCHEMAS = {
    "empty": {},
    "string": {"type": "string", "minLength": 5, "maxLength": 9},
    "short": {"type": "string", "maxLength": 1},
    "format": {"type": "string", "format": "date-time"},
    "integer": {"type": "integer", "minimum": 10},
    "exclusive": {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 3},
    "number": {"type": "number", "maximum": 1},
    "multiple": {"type": "integer", "multipleOf": 5, "minimum": 12},
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
    "nullable": {"type": ["null", "integer"]},
    "enum": {"enum": ["red", "green"]},
    "const": {"const": {"a": 1}},
    "array": {"type": "array", "items": {"type": "integer"}, "minItems": 3},
    "unique": {"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": True},
    "unique enum": {
        "type": "array",
        "items": {"enum": ["a", "b", "c"]},
        "minItems": 2,
        "uniqueItems": True,
    },
    "no items": {"type": "array", "maxItems": 0},
    "tuple": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]},
    "any of": {"anyOf": [{"type": "object", "required": ["a"]}, {"type": "integer"}]},
    "one of": {"oneOf": [{"const": "x"}, {"const": "y"}]},
    "all of": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"properties": {"b": {"type": "number"}}, "required": ["b"]},
        ]
    },
    "reference": {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "integer"}}},
    "recursive": {"$ref": "#/$defs/node", "$defs": {"node": NODE}},
    "required recursion": {
        "$ref": "#/$defs/node",
        "$defs": {"node": {**NODE, "required": ["name", "next", "children"]}},
    },
    "nested": {
        "type": "object",
        "properties": {
            "people": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"age": {"type": "integer"}, "nick": {"type": "string"}},
                    "required": ["age"],
                },
            },
            "untyped": {},
        },
        "required": ["people", "untyped"],
    },
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_instance_is_valid(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(minimal_instance(schema), schema)


@pytest.mark.parametrize(
    ("schema", "instance"),
    [
        ({"type": "string"}, "hi"),
        ({"type": "integer"}, 1),
        ({"type": "number"}, 1.5),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"]}, {"b": "hi"}),
    ],
)
def test_plain_values_are_the_known_ones(schema, instance):
    assert minimal_instance(schema) == instance
