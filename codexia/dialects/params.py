"""Reading a request body of the OpenAI dialects, with errors that name the field at fault.

A body is read through `Param`, a value that knows its path. Reading it as what it is not
raises `BadRequest` with `param` spelled as OpenAI spells it, e.g. `messages[0].content`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codexia.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Param:
    """One value of a request body.

    Attributes:
        value: as decoded; None where it is absent, which is the same as `null`.
        path: where it stands, "" for the body itself.
    """

    value: Any
    path: str = ""

    def __getitem__(self, name: str) -> Param:
        """Return the member `name` of this object."""
        return Param(self.object().get(name), f"{self.path}.{name}" if self.path else name)

    @property
    def present(self) -> bool:
        """Whether there is a value, `null` not being one."""
        return self.value is not None

    def object(self) -> dict[str, Any]:
        """Return the value, which must be an object."""
        if not isinstance(self.value, dict):
            raise self._wrong_type("an object")
        return self.value  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

    def entries(self) -> list[Param]:
        """Return the entries of this array; none where it is absent."""
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            raise self._wrong_type("an array")
        values: list[Any] = self.value  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return [Param(value, f"{self.path}[{index}]") for index, value in enumerate(values)]

    def text(self) -> str:
        """Return the value, which must be a string."""
        if not isinstance(self.value, str):
            raise self._wrong_type("a string")
        return self.value

    def optional_text(self) -> str | None:
        """Return the value, which must be a string or absent."""
        return None if self.value is None else self.text()

    def flag(self) -> bool:
        """Return the value, which must be a boolean; False where it is absent."""
        if self.value is None:
            return False
        if not isinstance(self.value, bool):
            raise self._wrong_type("a boolean")
        return self.value

    def number(self, default: int) -> int:
        """Return the value, which must be an integer, or `default` where it is absent."""
        if self.value is None:
            return default
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self._wrong_type("an integer")
        return self.value

    def invalid(self, reason: str, *, code: str = "invalid_value") -> BadRequest:
        """Return the error that this value is at fault for `reason`."""
        return BadRequest(f"invalid value for '{self.path}': {reason}", code=code, param=self.path)

    def unsupported(self, reason: str) -> BadRequest:
        """Return the error that this field asks for what the backend cannot do."""
        return BadRequest(
            f"unsupported parameter: '{self.path}': {reason}",
            code="unsupported_parameter",
            param=self.path,
        )

    def _wrong_type(self, expected: str) -> BadRequest:
        if self.value is None and self.path:
            return BadRequest(
                f"missing required parameter: '{self.path}'; expected {expected}",
                code="missing_required_parameter",
                param=self.path,
            )
        return BadRequest(
            f"invalid type for '{self.path}': expected {expected}, got {_kind(self.value)}",
            code="invalid_type",
            param=self.path or None,
        )


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"
