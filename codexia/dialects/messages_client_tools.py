"""Tools that Anthropic defines and the client runs, as function tools.

Anthropic's models know these by their type alone; the backend's models need the schema. The
parameters are those of the tool reference at https://docs.anthropic.com (bash, text editor
and memory tool).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from codexia.dialects.messages_fields import Json

_TEXT: Final = {"type": "string"}
_LINE: Final = {"type": "integer"}
_LINES: Final = {"type": "array", "items": _LINE, "minItems": 2, "maxItems": 2}

_BASH: Final = {"command": _TEXT, "restart": {"type": "boolean"}}

_EDITOR: Final = {
    "path": _TEXT,
    "view_range": _LINES,
    "file_text": _TEXT,
    "old_str": _TEXT,
    "new_str": _TEXT,
    "insert_line": _LINE,
}
"""Parameters that the editor commands of every version share."""

OLD_EDITORS: Final = ("text_editor_20241022", "text_editor_20250124")
"""Versions that can undo."""

NEW_INSERT: Final = ("text_editor_20250728", "memory_")
"""Types whose `insert` takes its text as `insert_text`; the others use `new_str`."""


def client_tool(kind: str, name: str | None) -> Json | None:
    """Return the function tool that stands for a type, None for any other type."""
    family = kind.rstrip("0123456789")
    match family:
        case "bash_":
            text = "Run a command in a bash session that keeps its state. `restart` starts it anew."
            return _function(name or "bash", text, _BASH, [])
        case "text_editor_":
            text = "View, create and edit files. `command` says what to do."
            return _function(
                name or "str_replace_based_edit_tool", text, _editor(kind), ["command", "path"]
            )
        case "memory_":
            text = (
                "Keep notes over conversations in files under /memories. `command` says what to do."
            )
            return _function(name or "memory", text, _memory(kind), ["command"])
        case _:
            return None


def _editor(kind: str) -> Json:
    commands = ["view", "create", "str_replace", "insert"]
    if kind in OLD_EDITORS:
        commands.append("undo_edit")
    return {"command": _one_of(commands), **_EDITOR, **_insert_text(kind)}


def _memory(kind: str) -> Json:
    commands = ["view", "create", "str_replace", "insert", "delete", "rename"]
    paths = {"old_path": _TEXT, "new_path": _TEXT}
    return {"command": _one_of(commands), **_EDITOR, **_insert_text(kind), **paths}


def _insert_text(kind: str) -> Json:
    return {"insert_text": _TEXT} if kind.startswith(NEW_INSERT) else {}


def _one_of(commands: list[str]) -> Json:
    return {"type": "string", "enum": commands}


def _function(name: str, description: str, properties: Json, required: list[str]) -> Json:
    return {
        "type": "function",
        "name": name,
        "description": description,
        "parameters": {"type": "object", "properties": properties, "required": required},
        "strict": False,
    }
