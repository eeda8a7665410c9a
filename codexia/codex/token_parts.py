"""What the model reads of a request, taken apart for counting.

The sum is an estimate of the `input_tokens` that the backend would report. Its own count is
not public: how it lays out messages and tools is known for open models only, and hosted
tools bring instructions of their own.

| part of the request | tokens |
|---|---|
| instructions, texts, arguments, results | those of the text |
| tool | those of its description, and of all else as compact JSON, which errs on the high side |
| schema of the output | those of its compact JSON |
| message, call, result | `MESSAGE_TOKENS` each, for what separates it from the next |
| beginning of the answer | `REPLY_TOKENS` |
| replayed reasoning, compacted history | by the length of the ciphertext |
| image, file | `codexia.codex.attachment_tokens` |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from codexia.codex.attachment_tokens import file_text, file_tokens, image_tokens
from codexia.codex.payload import child_at, children_at, text_at

if TYPE_CHECKING:
    from codexia.codex.payload import Json

MESSAGE_TOKENS: Final = 4
"""Start, role, end of the header, end of the message."""

REPLY_TOKENS: Final = 3

ENVELOPE_BYTES: Final = 650
BYTES_PER_REASONING_TOKEN: Final = 4
"""With `ENVELOPE_BYTES` the measure by which Codex CLI judges ciphertext."""


@dataclass(frozen=True, slots=True)
class TokenParts:
    """A request taken apart.

    Attributes:
        texts: to be counted by a tokenizer, each by itself.
        tools: likewise; the same from request to request, so worth remembering.
        counted_tokens: all that is not text.
    """

    texts: tuple[str, ...] = field(repr=False)
    tools: tuple[str, ...] = field(repr=False)
    counted_tokens: int


def token_parts(body: Json) -> TokenParts:
    """Return the parts of the body of a `CodexRequest`.

    What is malformed counts as it reads; to refuse it is left to those who translate it.
    """
    parts = _Parts()
    if instructions := text_at(body, "instructions"):
        parts.counted_tokens += MESSAGE_TOKENS
        parts.texts.append(instructions)
    for item in children_at(body, "input"):
        parts.add_item(item)
    parts.add_tools(body)
    if schema := child_at(child_at(body, "text"), "format").get("schema"):
        parts.texts.append(_json(schema))
    texts = tuple(text for text in parts.texts if text)
    return TokenParts(texts, tuple(parts.tools), parts.counted_tokens)


@dataclass(slots=True)
class _Parts:
    texts: list[str] = field(default_factory=list[str])
    tools: list[str] = field(default_factory=list[str])
    counted_tokens: int = REPLY_TOKENS

    def add_item(self, item: Json) -> None:
        self.counted_tokens += MESSAGE_TOKENS
        match text_at(item, "type"):
            case "message":
                self._add_content(item, "content")
            case "function_call":
                self.texts += [text_at(item, "name"), text_at(item, "arguments")]
            case "custom_tool_call":
                self.texts += [text_at(item, "name"), text_at(item, "input")]
            case "function_call_output" | "custom_tool_call_output":
                self._add_content(item, "output")
            case "reasoning" | "compaction" | "compaction_summary":
                self.counted_tokens += _encrypted_tokens(text_at(item, "encrypted_content"))
            case "image_generation_call":
                image = f"data:image/png;base64,{text_at(item, 'result')}"
                self.counted_tokens += image_tokens(image, "auto")
            case "additional_tools":
                self.add_tools(item)
            case _:
                self.texts.append(_json(item))

    def add_tools(self, holder: Json) -> None:
        self.tools += map(_tool, children_at(holder, "tools"))

    def _add_content(self, item: Json, key: str) -> None:
        if text := text_at(item, key):
            self.texts.append(text)
        for part in children_at(item, key):
            self._add_part(part)

    def _add_part(self, part: Json) -> None:
        match text_at(part, "type"):
            case "input_image":
                self.counted_tokens += image_tokens(
                    text_at(part, "image_url"), text_at(part, "detail")
                )
            case "input_file":
                self._add_file(part)
            case "refusal":
                self.texts.append(text_at(part, "refusal"))
            case _:
                self.texts.append(text_at(part, "text"))

    def _add_file(self, part: Json) -> None:
        data = text_at(part, "file_data")
        text = file_text(data)
        self.texts.append(text_at(part, "filename"))
        if text is None:
            self.counted_tokens += file_tokens(data)
        else:
            self.texts.append(text)


def _encrypted_tokens(content: str) -> int:
    size_bytes = len(content) * 3 // 4 - ENVELOPE_BYTES
    return max(size_bytes, 0) // BYTES_PER_REASONING_TOKEN


def _tool(tool: Json) -> str:
    rest = {name: value for name, value in tool.items() if name != "description"}
    return f"{text_at(tool, 'description')}\n{_json(rest)}"


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
