"""The `input` of a Responses request, as the backend takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from codexia.codex.payload import children_at, text_at
from codexia.dialects.params import Param
from codexia.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codexia.codex.payload import Json

REFERENCE: Final = "item_reference"

MAX_ID_CHARS: Final = 64

ID_PREFIXES: Final = {
    "compaction": "cmp_",
    "custom_tool_call": "ctc_",
    "function_call": "fc_",
    "image_generation_call": "ig_",
    "message": "msg_",
    "reasoning": "rs_",
    "web_search_call": "ws_",
}
"""How the backend's own ids begin; it refuses others in items of these types."""

CACHE_BREAKPOINT: Final = "prompt_cache_breakpoint"
"""A member of content parts that the backend refuses."""


def referenced_ids(body: Json) -> frozenset[str]:
    """Return the ids of the stored items that the input of a request refers to."""
    items = children_at(body, "input")
    return frozenset(text_at(item, "id") for item in items if item.get("type") == REFERENCE)


def input_items(value: Param, referenced: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the input as a list of items.

    Items of types that are not known here pass untouched. Reasoning that is neither sent nor
    stored is left out: the backend stores nothing, and an answer is better without it than none.

    Args:
        value: the input.
        referenced: stored items by id, to be put where the input refers to them.

    Raises:
        BadRequest: the input is missing or malformed, or refers to what is not stored.
    """
    if isinstance(value.value, str):
        return [_message("user", [{"type": "input_text", "text": value.value}])]
    if not value.present:
        value.text()
    items = [_item(_resolved(item, referenced)) for item in value.entries()]
    kept = [_without_breakpoints(item) for item in items if item is not None]
    if len(kept) == len(items):
        return kept
    # By the id of what came of it, the backend would look for the reasoning that is not there.
    return [_without("id", item) for item in kept]


def _resolved(item: Param, referenced: Mapping[str, dict[str, Any]]) -> Param:
    """Return what an item refers to, the item itself where it refers to nothing known."""
    if item["type"].value != REFERENCE:
        return item
    return Param(referenced.get(item["id"].text(), item.value), item.path)


def _item(item: Param) -> dict[str, Any] | None:
    kind = item["type"].text() if item["type"].present or "role" not in item.object() else "message"
    match kind:
        case "message":
            return _kept_id(kind, {**item.object(), **_message_of(item)})
        case "item_reference" if item["id"].text().startswith(ID_PREFIXES["reasoning"]):
            return None
        case "item_reference":
            # OpenAI's own words, which name the whole input.
            raise BadRequest(f"Item with id '{item['id'].text()}' not found.", param="input")
        case "reasoning" if not item["encrypted_content"].present:
            return None
        case _:
            return _kept_id(kind, item.object())


def _message_of(item: Param) -> dict[str, Any]:
    role = item["role"].text()
    content = item["content"]
    if isinstance(content.value, str):
        kind = "output_text" if role == "assistant" else "input_text"
        return _message(role, [{"type": kind, "text": content.value}])
    if not content.present:
        content.text()
    return _message(role, [part.object() for part in content.entries()])


def _message(role: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "message",
        "role": "developer" if role == "system" else role,
        "content": parts,
    }


def _kept_id(kind: str, item: dict[str, Any]) -> dict[str, Any]:
    """Return the item, without its id if that is one which the backend would refuse."""
    if "id" not in item:
        return item
    identity = item["id"]
    known = isinstance(identity, str) and identity.startswith(ID_PREFIXES.get(kind, ""))
    if known and len(identity) <= MAX_ID_CHARS:
        return item
    return _without("id", item)


def _without_breakpoints(item: dict[str, Any]) -> dict[str, Any]:
    marked = {
        name: [_without(CACHE_BREAKPOINT, part) for part in children_at(item, name)]
        for name in ("content", "output")
        if any(CACHE_BREAKPOINT in part for part in children_at(item, name))
    }
    return {**item, **marked} if marked else item


def _without(key: str, members: dict[str, Any]) -> dict[str, Any]:
    return {name: members[name] for name in members if name != key}
