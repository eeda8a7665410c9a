"""Reading the JSON objects of an Anthropic request, refusing in Anthropic's own words.

Clients match on these texts (`max_tokens: Field required`), and a path such as
`messages.0.content.1.tool_use.input` is what a person needs to find the fault. Only what is
read is checked: fields that nobody asks for can hold anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from codexia.errors import BadRequest

Json: TypeAlias = dict[str, Any]

REQUIRED: Final = "Field required"
TOO_DEEP: Final = "Input is nested too deeply"
"""For what the JSON encoder, which has a depth limit, would refuse on the way out."""


@dataclass(slots=True)  # not frozen: that makes each of them three times as dear
class Fields:
    """One object of a request and the path that leads to it.

    `null` is the same as absent. The readers named `maybe_*` return None for an absent
    field; the others refuse the request.
    """

    values: Json
    path: str = ""

    def at(self, key: str) -> str:
        """Return the path of one field."""
        return f"{self.path}.{key}" if self.path else key

    def refuse(self, key: str, reason: str) -> BadRequest:
        """Return the error that says what is wrong with one field."""
        path = self.at(key)
        return BadRequest(f"{path}: {reason}", param=path)

    def has(self, key: str) -> bool:
        """Return whether the field is there and not null."""
        return self.values.get(key) is not None

    def required(self, key: str) -> Any:
        """Return the field, whatever it is."""
        value = self.values.get(key)
        if value is None:
            raise self.refuse(key, REQUIRED)
        return value

    def text(self, key: str) -> str:
        """Return a string."""
        value = self.required(key)
        if not isinstance(value, str):
            raise self.refuse(key, "Input should be a valid string")
        return value

    def maybe_text(self, key: str) -> str | None:
        """Return a string or None."""
        return self.text(key) if self.has(key) else None

    def integer(self, key: str) -> int:
        """Return an integer; a float without a fraction is one."""
        value = self.required(key)
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.refuse(key, "Input should be a valid integer")
        return value

    def maybe_flag(self, key: str) -> bool:
        """Return a boolean, False when absent."""
        value = self.values.get(key)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise self.refuse(key, "Input should be a valid boolean")
        return value

    def json(self, key: str) -> Json:
        """Return an object as it is."""
        value = self.required(key)
        if not isinstance(value, dict):
            raise self.refuse(key, "Input should be a valid dictionary")
        return value  # pyright: ignore[reportUnknownVariableType]

    def child(self, key: str) -> Fields:
        """Return an object to read further."""
        return Fields(self.json(key), self.at(key))

    def maybe_child(self, key: str) -> Fields | None:
        """Return an object to read further, or None."""
        return self.child(key) if self.has(key) else None

    def texts(self, key: str) -> list[str]:
        """Return a list of strings, empty when absent."""
        values = self._list(key) if self.has(key) else []
        for index, value in enumerate(values):
            if not isinstance(value, str):
                raise self.refuse(f"{key}.{index}", "Input should be a valid string")
        return values

    def children(self, key: str) -> list[Fields]:
        """Return the objects of a list, in order, empty when absent."""
        if not self.has(key):
            return []
        path = self.at(key)
        found: list[Fields] = []
        for index, value in enumerate(self._list(key)):
            if not isinstance(value, dict):
                raise self.refuse(f"{key}.{index}", "Input should be a valid dictionary")
            found.append(Fields(value, f"{path}.{index}"))  # pyright: ignore[reportUnknownArgumentType]
        return found

    def tagged(self, key: str, default: str | None = None) -> list[Tagged]:
        """Return the objects of a list with their `type`, empty when absent.

        Args:
            key: the field.
            default: the type of an object that names none; without it the type is required.
        """
        return [_tagged(node, default) for node in self.children(key)]

    def tagged_child(self, key: str, default: str | None = None) -> Tagged:
        """Return an object with its `type`."""
        return _tagged(self.child(key), default)

    def blocks(self, key: str) -> list[Tagged]:
        """Return content blocks; a bare string is one text block."""
        content = self.required(key)
        if isinstance(content, str):
            return [Tagged({"type": "text", "text": content}, self.at(key), "text")]
        if not isinstance(content, list):
            raise self.refuse(key, "Input should be a valid string or list of content blocks")
        return self.tagged(key)

    def _list(self, key: str) -> list[Any]:
        value = self.required(key)
        if not isinstance(value, list):
            raise self.refuse(key, "Input should be a valid list")
        return value  # pyright: ignore[reportUnknownVariableType]


@dataclass(slots=True)
class Tagged(Fields):
    """An object whose `type` says what it is; the type is part of the path, as Anthropic's is."""

    kind: str = ""


def _tagged(node: Fields, default: str | None) -> Tagged:
    kind = node.text("type") if default is None or node.has("type") else default
    return Tagged(node.values, f"{node.path}.{kind}", kind)
