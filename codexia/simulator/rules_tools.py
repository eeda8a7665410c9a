"""What the backend asks of `tools` and `tool_choice`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from codexia.simulator.findings import Finding, detail_answer, invalid, refused
from codexia.simulator.rules_schema import strict_schema_problems
from codexia.simulator.shapes import JsonObject, as_object

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOL_TYPES = {
    "function",
    "custom",
    "web_search",
    "image_generation",
    "local_shell",
    "namespace",
    "tool_search",
}
NAMED_TYPES = {"function", "custom", "namespace"}
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def check_tools(tools: list[JsonObject]) -> Iterator[Finding]:
    """Yield what is wrong with the tools, one by one."""
    for index, tool in enumerate(tools):
        yield from _check_tool(tool, f"tools[{index}]")


def _check_tool(tool: dict[str, Any], param: str) -> Iterator[Finding]:
    kind = tool.get("type")
    if kind not in TOOL_TYPES:
        yield refused("tool_type", f"Unsupported tool type: {kind}")
        return
    if kind in NAMED_TYPES:
        yield from _check_name(tool.get("name"), f"{param}.name")
    match kind:
        case "function":
            yield from _check_function(tool, param)
        case "custom":
            yield from _check_custom_format(tool.get("format"), f"{param}.format")
        case "namespace":
            for index, inner in enumerate(tool.get("tools") or []):
                yield from _check_tool(inner, f"{param}.tools[{index}]")
        case _:
            pass


def _check_name(name: Any, param: str) -> Iterator[Finding]:
    if not name:
        message = f"Missing required parameter: '{param}'."
        yield invalid("tool_shape", message, param=param, code="missing_required_parameter")
    elif not TOOL_NAME.fullmatch(name):
        message = (
            f"Invalid '{param}': string does not match pattern. Expected a string that matches "
            "the pattern '^[a-zA-Z0-9_-]{1,64}$'."
        )
        yield invalid("tool_name", message, param=param, code="invalid_value", by_client=True)


def _check_function(tool: dict[str, Any], param: str) -> Iterator[Finding]:
    if tool.get("parameters") is None:
        return
    parameters = as_object(tool["parameters"]) or {}
    where = f"{param}.parameters"
    if parameters.get("type") != "object":
        found = parameters.get("type")
        message = (
            f"Invalid schema for function '{tool.get('name')}': schema must be a JSON Schema of "
            f"'type: \"object\"', got 'type: \"{found}\"'."
        )
        yield _bad_parameters(message, where)
    elif tool.get("strict") is True:
        for problem in strict_schema_problems(parameters):
            yield _bad_parameters(
                f"Invalid schema for function '{tool.get('name')}': {problem}", where
            )


def _bad_parameters(message: str, param: str) -> Finding:
    code = "invalid_function_parameters"
    return invalid(code, message, param=param, code=code, by_client=True)


def _check_custom_format(form: Any, param: str) -> Iterator[Finding]:
    match form:
        case None | {"type": "text"}:
            return
        case {"type": "grammar", "syntax": "lark" | "regex", "definition": str()}:
            return
        case _:
            message = f"Invalid value for '{param}'."
            yield invalid("tool_shape", message, param=param, code="invalid_value")


def check_tool_choice(choice: Any, tools: list[dict[str, Any]]) -> Iterator[Finding]:
    """Yield what is wrong with `tool_choice`; `tools` are all offered ones, flat."""
    match choice:
        case "auto" | "none":
            return
        case "required":
            if not tools:
                message = "Tool choice 'required' must be specified with 'tools' parameter."
                yield invalid("tool_choice", message, param="tool_choice", by_client=True)
        case {"type": "allowed_tools"}:
            yield Finding("tool_choice", "allowed_tools is not reliable on this backend")
        case {"type": "function" | "custom" as kind, "name": str() as name}:
            if not any(tool["type"] == kind and tool.get("name") == name for tool in tools):
                yield _choice_not_found(name)
        case {"type": "web_search" | "image_generation" | "local_shell" as kind}:
            if not any(tool["type"] == kind for tool in tools):
                yield _choice_not_found(kind)
        case _:
            yield refused("tool_choice", "Invalid value for 'tool_choice'.")


def _choice_not_found(name: str) -> Finding:
    message = f"Tool choice '{name}' not found in 'tools' parameter."
    return Finding("tool_choice", message, detail_answer(message), is_violation=False)


def offered_tools(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every tool that a request offers, also those inside namespaces and the input.

    A namespaced tool gets its namespace as the extra key `namespace`.
    """
    listed: list[dict[str, Any]] = list(body.get("tools") or [])
    items: list[JsonObject] = body.get("input") or []
    for item in items:
        if item.get("type") == "additional_tools":
            listed.extend(item.get("tools") or [])
    flat: list[dict[str, Any]] = []
    for tool in listed:
        if tool.get("type") == "namespace":
            inside: list[JsonObject] = tool.get("tools") or []
            flat.extend({**inner, "namespace": tool.get("name")} for inner in inside)
        else:
            flat.append(tool)
    return flat
