"""Anthropic tools and tool choice, as the backend's.

Deferred tools stay out until the conversation refers to them, and then go to the end of the
list, so that what was cached before them stays the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from codexia.dialects.messages_client_tools import client_tool
from codexia.dialects.messages_fields import TOO_DEEP
from codexia.dialects.tool_names import codex_tool_name

if TYPE_CHECKING:
    from codexia.dialects.messages_content import Conversation
    from codexia.dialects.messages_fields import Fields, Json, Tagged

PLACEHOLDER: Final = "DeferredToolPlaceholder"
"""Claude Code's stand-in for its deferred tools; it is never to be called."""

IMAGE_GENERATION: Final = "image_generation"
SERVER_TOOL_SEARCH: Final = "tool_search_tool_"
WEB_SEARCH: Final = "web_search_"

WEB_SEARCH_SOURCES: Final = "web_search_call.action.sources"
"""The `include` entry that makes the backend name the pages it found."""


@dataclass(slots=True)
class ToolSet:
    """The tools of a request.

    Attributes:
        tools: for the backend, in order.
        hosted: types of those that the backend runs itself.
        names: clients' names of tools by the backend's, where they differ.
        dropped: names of tools that have no equivalent.
    """

    tools: list[Json] = field(default_factory=list["Json"])
    hosted: set[str] = field(default_factory=set[str])
    names: dict[str, str] = field(default_factory=dict[str, str])
    dropped: set[str] = field(default_factory=set[str])

    def add(self, tool: Tagged) -> None:
        """Take a tool that is on offer."""
        name = tool.maybe_text("name")
        if name == IMAGE_GENERATION:
            self._add_hosted({"type": IMAGE_GENERATION})
        elif tool.kind.startswith(WEB_SEARCH):
            self._add_hosted(_web_search(tool))
        elif (known := client_tool(tool.kind, name)) is not None:
            self._add_function(known)
        elif tool.kind == "custom" or tool.has("input_schema"):
            self._add_function(_custom(tool))
        else:
            self.dropped.add(name or tool.kind)

    def _add_hosted(self, tool: Json) -> None:
        self.hosted.add(tool["type"])
        self.tools.append(tool)

    def _add_function(self, tool: Json) -> None:
        name = tool["name"]
        short = codex_tool_name(name)
        if short != name:
            self.names[short] = name
        self.tools.append({**tool, "name": short})


def tool_set(body: Fields, conversation: Conversation) -> ToolSet:
    """Return the tools that the model may use at this turn.

    Raises:
        BadRequest: a tool is malformed.
    """
    declared = body.tagged("tools", default="custom")
    # Where Anthropic's server would search the deferred tools nobody can here: offer them all.
    searched = any(tool.kind.startswith(SERVER_TOOL_SEARCH) for tool in declared)
    wanted = _forced_name(body)
    chosen = ToolSet()
    offered: set[str] = set()
    deferred: dict[str, Tagged] = {}
    for tool in declared:
        name = tool.maybe_text("name") or ""
        if name == PLACEHOLDER or name in conversation.removed:
            continue
        if tool.maybe_flag("defer_loading") and not searched and name != wanted:
            deferred[name] = tool
        else:
            offered.add(name)
            chosen.add(tool)
    for name, definition in conversation.loaded.items():
        tool = deferred.get(name) or (None if name in offered else definition)
        if tool is not None:
            chosen.add(tool)
    return chosen


def tool_choice(body: Fields, tools: ToolSet) -> Json:
    """Return the request fields that say how tools are to be used.

    Raises:
        BadRequest: the choice is malformed, or forces a tool that is not on offer.
    """
    choice = body.maybe_child("tool_choice")
    if choice is None:
        return {}
    fields: Json = {}
    if choice.maybe_flag("disable_parallel_tool_use"):
        fields["parallel_tool_calls"] = False
    match choice.text("type"):
        case "auto":
            fields["tool_choice"] = "auto"
        case "none":
            fields["tool_choice"] = "none"
        case "any":
            if tools.dropped and not tools.tools:
                raise choice.refuse("type", f"no equivalent of {_listed(tools.dropped)} here")
            fields["tool_choice"] = "required"
        case "tool":
            fields["tool_choice"] = _named(choice, tools)
        case _:
            raise choice.refuse("type", "Input should be 'auto', 'any', 'tool' or 'none'")
    return fields


def _named(choice: Fields, tools: ToolSet) -> Json:
    name = choice.text("name")
    if name in tools.hosted:
        return {"type": name}
    if name in tools.dropped:
        raise choice.refuse("name", f"there is no equivalent of the tool '{name}' here")
    short = codex_tool_name(name)
    if not any(tool.get("name") == short for tool in tools.tools):
        raise choice.refuse("name", f"Tool '{name}' not found in provided tools")
    return {"type": "function", "name": short}


def _forced_name(body: Fields) -> str | None:
    choice: Any = body.values.get("tool_choice")
    return choice.get("name") if isinstance(choice, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def _custom(tool: Tagged) -> Json:
    schema = {name: value for name, value in tool.json("input_schema").items() if name != "$schema"}
    schema.setdefault("type", "object")
    if schema["type"] == "object":
        schema.setdefault("properties", {})
    function: Json = {"type": "function", "name": tool.text("name")}
    description = "\n\n".join(
        text for text in (tool.maybe_text("description"), _examples(tool)) if text
    )
    if description:
        function["description"] = description
    # Strict mode refuses most schemas in use ($schema, maxLength, optional properties).
    return {**function, "parameters": schema, "strict": False}


def _examples(tool: Tagged) -> str:
    examples = [example.values for example in tool.children("input_examples")]
    try:
        lines = [orjson.dumps(example).decode() for example in examples]
    except orjson.JSONEncodeError as error:
        raise tool.refuse("input_examples", TOO_DEEP) from error
    return "\n".join(["Example inputs:", *lines]) if lines else ""


def _web_search(tool: Tagged) -> Json:
    search: Json = {"type": "web_search"}
    domains = tool.texts("allowed_domains")
    if domains:
        search["filters"] = {"allowed_domains": domains}
    place = tool.maybe_child("user_location")
    if place is not None:
        known = {key: place.maybe_text(key) for key in ("city", "region", "country", "timezone")}
        search["user_location"] = {"type": "approximate", **{k: v for k, v in known.items() if v}}
    return search


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
