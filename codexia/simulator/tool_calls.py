"""Calls of offered tools: a shell command for a shell, minimal arguments for the others."""

from __future__ import annotations

from typing import Any

import orjson

from codexia.simulator.items import (
    ImageCall,
    Message,
    OutputItem,
    ShellCall,
    ToolCall,
    WebSearchCall,
    pieces,
)
from codexia.simulator.schema_instance import minimal_instance

SHELL_TOOLS = ("bash", "exec_command", "run_commands", "shell", "shell_command", "local_shell")
"""Names under which agents offer a shell, in lower case (Claude Code says `Bash`)."""

COMMAND_FIELDS = ("command", "cmd", "commands")
SOURCE_URL = "https://example.com/result"


def run_in_shell(tools: list[dict[str, Any]], command: str) -> OutputItem | None:
    """Return a call that runs the command, or None if no tool is a shell."""
    for tool in tools:
        if tool["type"] == "local_shell":
            return ShellCall(command)
        if tool.get("name", "").lower() in SHELL_TOOLS:
            arguments = orjson.dumps(_shell_arguments(tool, command)).decode()
            return ToolCall(tool["name"], arguments, namespace=tool.get("namespace"))
    return None


def _shell_arguments(tool: dict[str, Any], command: str) -> dict[str, Any]:
    """Return arguments as the schema wants them: a string, an argv, or a list of commands."""
    schema: dict[str, Any] = tool.get("parameters") or {}
    properties: dict[str, Any] = schema.get("properties") or {}
    field = next((name for name in COMMAND_FIELDS if name in properties), "command")
    value: str | list[str] = command
    if properties.get(field, {}).get("type") == "array":
        value = [command] if field == "commands" else ["bash", "-lc", command]
    others: dict[str, Any] = minimal_instance(schema) if schema else {}
    return {**others, field: value}


def call_tool(tool: dict[str, Any], arguments: str | None, prompt: str) -> list[OutputItem]:
    """Return the items of one call; `arguments` stands in for minimal ones if it is given."""
    match tool["type"]:
        case "function":
            if arguments is None:
                schema = tool.get("parameters") or {"type": "object"}
                arguments = orjson.dumps(minimal_instance(schema)).decode()
            return [ToolCall(tool["name"], arguments, namespace=tool.get("namespace"))]
        case "custom":
            return [ToolCall(tool["name"], "hi" if arguments is None else arguments, "custom")]
        case "web_search":
            return search(prompt)
        case "image_generation":
            return [ImageCall(prompt, tool), Message(())]
        case "local_shell":
            return [ShellCall(arguments or "true")]
        case _:
            return []


def search(query: str, *, with_sources: bool = False) -> list[OutputItem]:
    """Return a search and an answer that cites what it found."""
    text = f"Found {query}"
    link = f" ([example.com]({SOURCE_URL}))."
    citation = {
        "type": "url_citation",
        "start_index": len(text) + 2,
        "end_index": len(text) + len(link) - 2,
        "title": "A result",
        "url": SOURCE_URL,
    }
    sources = (SOURCE_URL,) if with_sources else ()
    return [WebSearchCall(query, sources), Message(pieces(text + link), annotations=(citation,))]
