"""Chat Completions tools and tool choices in Responses form.

Chat nests a tool under its type, `{"type": "function", "function": {"name": ...}}`;
Responses has it flat, `{"type": "function", "name": ...}`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codexia.dialects.allowed_tools import Tool, only_allowed

if TYPE_CHECKING:
    from codexia.dialects.params import Param

TOOL_MODES: Final = frozenset({"none", "auto", "required"})


def tools_of(request: Param) -> tuple[list[Tool], str | Tool | None]:
    """Return the tools of a request and its choice among them, if it made one."""
    tools = [_tool(tool) for tool in request["tools"].entries()]
    tools += [_function(function) for function in request["functions"].entries()]
    if request["web_search_options"].present:
        tools.append(_web_search(request["web_search_options"]))
    choice = request["tool_choice"]
    if not choice.present:
        return tools, _legacy_choice(request["function_call"])
    if isinstance(choice.value, str):
        return tools, _mode(choice)
    if choice["type"].text() != "allowed_tools":
        return tools, _named(choice)
    allowed = choice["allowed_tools"]
    names = [_named(tool) for tool in allowed["tools"].entries()]
    return only_allowed(tools, names), _mode(allowed["mode"])


def _tool(tool: Param) -> Tool:
    match tool["type"].text():
        case "function":
            return _function(tool["function"])
        case "custom":
            return _custom(tool["custom"])
        case _:  # a hosted tool of the Responses API
            return tool.object()


def _function(function: Param) -> Tool:
    parameters = function["parameters"]
    return {
        "type": "function",
        "name": function["name"].text(),
        "description": function["description"].optional_text() or "",
        "parameters": parameters.object()
        if parameters.present
        else {"type": "object", "properties": {}},
        # Responses would take an absent `strict` for true, Chat Completions for false.
        "strict": function["strict"].flag(),
    }


def _custom(custom: Param) -> Tool:
    tool = {
        "type": "custom",
        "name": custom["name"].text(),
        "description": custom["description"].optional_text() or "",
    }
    form = custom["format"]
    if not form.present:
        return tool
    if form["type"].text() != "grammar":
        return {**tool, "format": form.object()}
    grammar = form["grammar"]
    return {
        **tool,
        "format": {
            "type": "grammar",
            "syntax": grammar["syntax"].text(),
            "definition": grammar["definition"].text(),
        },
    }


def _web_search(options: Param) -> Tool:
    tool: Tool = {"type": "web_search"}
    if size := options["search_context_size"].optional_text():
        tool["search_context_size"] = size
    location = options["user_location"]
    if location.present:
        tool["user_location"] = {"type": "approximate", **location["approximate"].object()}
    return tool


def _legacy_choice(choice: Param) -> str | Tool | None:
    if not choice.present:
        return None
    if isinstance(choice.value, str):
        return _mode(choice)
    return {"type": "function", "name": choice["name"].text()}


def _mode(choice: Param) -> str:
    mode = choice.text()
    if mode not in TOOL_MODES:
        raise choice.invalid("use none, auto, required or an object")
    return mode


def _named(choice: Param) -> Tool:
    match choice["type"].text():
        case "function":
            return {"type": "function", "name": choice["function"]["name"].text()}
        case "custom":
            return {"type": "custom", "name": choice["custom"]["name"].text()}
        case _:  # a hosted tool of the Responses API
            return choice.object()
