"""The turns of an Anthropic conversation, as the backend's input items."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson

from codexia.dialects.messages_fields import TOO_DEEP
from codexia.dialects.messages_parts import input_parts, input_text, readable_text
from codexia.dialects.signature import encrypted_content
from codexia.dialects.tool_ids import call_id
from codexia.dialects.tool_names import codex_tool_name

if TYPE_CHECKING:
    from codexia.dialects.messages_fields import Fields, Json, Tagged

SERVER_CALLS: Final = frozenset({"server_tool_use", "mcp_tool_use"})
"""Calls that another provider's server made; only what came of them is worth telling."""


@dataclass(slots=True)
class Conversation:
    """Input items of the turns read so far, and the tools that they changed.

    Attributes:
        items: for the backend, in order.
        loaded: names of deferred tools that became available, in order, each with its
            definition where the conversation brought one.
        removed: names of tools that the conversation took away.
    """

    items: list[Json] = field(default_factory=list["Json"])
    loaded: dict[str, Tagged | None] = field(default_factory=dict[str, "Tagged | None"])
    removed: set[str] = field(default_factory=set[str])

    def add(self, message: Fields) -> None:
        """Take the next message."""
        match message.text("role"):
            case "user":
                self._add_user(message.blocks("content"))
            case "assistant":
                self._add_assistant(message.blocks("content"))
            case "system":
                # In place and not in the instructions: the prompt before it stays the same,
                # so it stays cached.
                self._add_system(message.blocks("content"))
            case _:
                raise message.refuse("role", "Input should be 'user', 'assistant' or 'system'")

    def _add_user(self, blocks: list[Tagged]) -> None:
        # The outputs come first: nothing may stand between calls and their outputs.
        for block in blocks:
            if block.kind == "tool_result":
                self._add_tool_result(block)
        shown = [block for block in blocks if block.kind != "tool_result"]
        self._add_message("user", shown)

    def _add_system(self, blocks: list[Tagged]) -> None:
        shown: list[Tagged] = []
        for block in blocks:
            match block.kind:
                case "tool_addition":
                    self._load(block.child("tool"))
                case "tool_removal":
                    self._remove(block.child("tool"))
                case _:
                    shown.append(block)
        self._add_message("developer", shown)

    def _add_message(self, role: str, blocks: list[Tagged]) -> None:
        parts = [part for block in blocks for part in self._parts(block)]
        if parts:
            self.items.append({"type": "message", "role": role, "content": parts})

    def _parts(self, block: Tagged) -> list[Json]:
        if block.kind == "tool_reference":
            self._load(block)
        return input_parts(block)

    def _add_tool_result(self, block: Tagged) -> None:
        content = block.blocks("content") if block.has("content") else []
        parts = [part for inner in content for part in self._parts(inner)]
        if block.maybe_flag("is_error"):
            parts = _marked_as_error(parts)
        output: str | list[Json] = parts
        if all(part["type"] == "input_text" for part in parts):
            output = "\n".join(part["text"] for part in parts)
        self.items.append(
            {
                "type": "function_call_output",
                "call_id": call_id(block.text("tool_use_id")),
                "output": output,
            }
        )

    def _add_assistant(self, blocks: list[Tagged]) -> None:
        for block in blocks:
            match block.kind:
                case "text":
                    self._add_assistant_text(block.text("text"))
                case "thinking":
                    self._add_reasoning(block.maybe_text("signature"), block.maybe_text("thinking"))
                case "redacted_thinking":
                    self._add_reasoning(block.maybe_text("data"), None)
                case "tool_use":
                    self._add_tool_use(block)
                case "image" | "document":
                    # An assistant message holds only text; the picture it made is still to be seen.
                    self._add_message("user", [block])
                case "compaction":
                    text = readable_text(block.values.get("content"))
                    self._add_message("developer", [_as_text(block, text)])
                case kind if kind in SERVER_CALLS:
                    continue
                case _:
                    self._add_assistant_text(readable_text(block.values))

    def _add_assistant_text(self, text: str) -> None:
        if text:
            content = [{"type": "output_text", "text": text}]
            self.items.append({"type": "message", "role": "assistant", "content": content})

    def _add_reasoning(self, signature: str | None, thinking: str | None) -> None:
        content = encrypted_content(signature) if signature else None
        if content is None:
            return
        # No id: the backend keeps nothing, and looks up an item that has one.
        summary = [{"type": "summary_text", "text": thinking}] if thinking else []
        self.items.append({"type": "reasoning", "summary": summary, "encrypted_content": content})

    def _add_tool_use(self, block: Tagged) -> None:
        name = block.text("name")
        try:
            arguments = orjson.dumps(block.json("input")).decode()
        except orjson.JSONEncodeError as error:
            raise block.refuse("input", TOO_DEEP) from error
        self.loaded.setdefault(name, None)
        self.items.append(
            {
                "type": "function_call",
                "call_id": call_id(block.text("id")),
                "name": codex_tool_name(name),
                "arguments": arguments,
            }
        )

    def _load(self, tool: Fields) -> None:
        definition = tool.tagged_child("definition", "custom") if tool.has("definition") else None
        name = (definition or tool).maybe_text("name") or tool.maybe_text("tool_name")
        if name:
            self.removed.discard(name)
            self.loaded[name] = definition or self.loaded.get(name)

    def _remove(self, tool: Fields) -> None:
        name = tool.maybe_text("tool_name") or tool.maybe_text("name")
        if name:
            self.loaded.pop(name, None)
            self.removed.add(name)


def _as_text(block: Tagged, text: str) -> Tagged:
    return type(block)({"type": "text", "text": text}, block.path, "text")


def _marked_as_error(parts: list[Json]) -> list[Json]:
    if parts and parts[0]["type"] == "input_text":
        return [input_text(f"Error: {parts[0]['text']}"), *parts[1:]]
    return [input_text("Error:"), *parts]
