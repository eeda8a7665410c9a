"""The `allowed_tools` choice, which the backend does not reliably keep to.

A choice among some of the tools means the same as offering only those, so that is what the
backend gets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Tool = dict[str, Any]


def only_allowed(tools: Sequence[Tool], allowed: Sequence[Tool]) -> list[Tool]:
    """Return the tools that `allowed` names.

    Args:
        tools: in Responses form.
        allowed: each has the members that tell a tool from others, usually `type` and `name`.
    """
    return [tool for tool in tools if any(entry.items() <= tool.items() for entry in allowed)]
