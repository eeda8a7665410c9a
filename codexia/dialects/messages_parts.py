"""Anthropic content blocks that show something, as the backend's input parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from codexia.dialects.messages_fields import Fields, Json, Tagged
    from codexia.errors import BadRequest

READABLE_DEPTH: Final = 6
READABLE_KEYS: Final = ("title", "url", "text", "stdout", "stderr", "content", "error_code")
"""Where the results of server tools keep what a reader can use, in reading order."""


def input_text(text: str) -> Json:
    """Return a text part."""
    return {"type": "input_text", "text": text}


def input_parts(block: Tagged) -> list[Json]:
    """Return what a block of the user shows to the model; nothing if it shows nothing.

    Raises:
        BadRequest: the block is malformed, or points into a file store that does not exist here.
    """
    match block.kind:
        case "text":
            return _text_parts(block.text("text"))
        case "image":
            return [_image(block.child("source"))]
        case "document":
            return _document(block)
        case "search_result":
            return _search_result(block)
        case "tool_reference":
            return _text_parts(f"Tool {block.text('tool_name')} is now available.")
        case _:  # a block that is newer than this code, or the result of a server tool
            return _text_parts(readable_text(block.values))


def readable_text(value: Any, depth: int = 0) -> str:
    """Return the text in a block that has no form here; "" if there is none."""
    if isinstance(value, str):
        return value
    if depth > READABLE_DEPTH:
        return ""
    children: list[Any] = []
    if isinstance(value, list):
        children = value  # pyright: ignore[reportUnknownVariableType]
    elif isinstance(value, dict):
        children = [value.get(key) for key in READABLE_KEYS]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    texts = [readable_text(child, depth + 1) for child in children]
    return "\n".join(text for text in texts if text)


def _text_parts(text: str) -> list[Json]:
    return [input_text(text)] if text else []


def _image(source: Fields) -> Json:
    match source.text("type"):
        case "base64":
            url = f"data:{source.text('media_type')};base64,{source.text('data')}"
        case "url":
            url = source.text("url")
        case kind:
            raise _unsupported(source, kind)
    return {"type": "input_image", "image_url": url, "detail": "auto"}


def _document(block: Tagged) -> list[Json]:
    source = block.child("source")
    title = block.maybe_text("title")
    match source.text("type"):
        case "base64":
            media_type = source.maybe_text("media_type") or "application/pdf"
            data = f"data:{media_type};base64,{source.text('data')}"
            return [{"type": "input_file", "filename": title or "document.pdf", "file_data": data}]
        case "url":
            return [{"type": "input_file", "file_url": source.text("url")}]
        case "text":
            content = _text_parts(source.text("data"))
        case "content":
            content = [part for inner in source.blocks("content") for part in _inner_parts(inner)]
        case kind:
            raise _unsupported(source, kind)
    heading = [text for text in (title, block.maybe_text("context")) if text]
    return [*_text_parts("\n".join(heading)), *content]


def _inner_parts(block: Tagged) -> list[Json]:
    # Documents do not nest; one that does must not cost the stack.
    return [] if block.kind == "document" else input_parts(block)


def _search_result(block: Tagged) -> list[Json]:
    text = "\n".join(inner.text("text") for inner in block.blocks("content"))
    return [input_text(f"{block.text('title')} ({block.text('source')})\n{text}")]


def _unsupported(source: Fields, kind: str) -> BadRequest:
    if kind == "file":
        return source.refuse("type", "there is no Files API here; send the content as base64")
    return source.refuse("type", f"Input tag '{kind}' is not one of the expected tags")
