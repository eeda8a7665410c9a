"""Compaction of a conversation: its user messages and one opaque item in place of the rest.

The backend has no endpoint for it. A request whose input ends in a `compaction_trigger` is
answered with the item, most of the time; what to do the other times is here too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from codexia.codex.payload import children_at, text_at
from codexia.dialects.orphans import without_orphans
from codexia.dialects.responses_defaults import usage_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from codexia.codex.payload import Json
    from codexia.codex.usage import Usage

TRIGGER: Final = "compaction_trigger"
COMPACTED: Final = frozenset({"compaction", "compaction_summary"})

KEPT_BYTES: Final = 80_000
"""How much is kept beside the user messages where nothing was compacted: 20,000 tokens or so."""


def with_trigger(body: dict[str, Any]) -> dict[str, Any]:
    """Return the request that asks the backend to compact the input of this one.

    An input that is no list of items is left for the translation to complain about.
    """
    items: object = body.get("input")
    if items is None and body.get("previous_response_id") is not None:
        items = []
    if isinstance(items, str):
        items = [{"type": "message", "role": "user", "content": items}]
    if not isinstance(items, list):
        return body
    return {**body, "input": [*items, {"type": TRIGGER}], "stream": False}


def compaction_of(response: Json) -> Json | None:
    """Return the item that a response compacted its input to; None unless it is the only one."""
    found = [item for item in children_at(response, "output") if item.get("type") in COMPACTED]
    return found[0] if len(found) == 1 else None


def retained(items: Iterable[Json], identity: str) -> list[Json]:
    """Return the user messages among input items, as output items.

    Args:
        items: the conversation.
        identity: unique; ids of messages that have none are made from it.
    """
    return _as_output((item for item in items if _is_of_user(item)), identity)


def shortened(items: Sequence[Json], identity: str) -> list[Json]:
    """Return the conversation without what is old in it, for want of a compaction.

    User messages and earlier compactions are all kept, of the rest the newest `KEPT_BYTES`.
    A message of the developer says how much is missing.

    Args:
        items: the conversation.
        identity: as `retained` takes it.
    """
    room = KEPT_BYTES
    newest_first: list[Json] = []
    for item in reversed(items):
        if not (_is_of_user(item) or item.get("type") in COMPACTED):
            room -= len(orjson.dumps(item))
            if room < 0:
                continue
        newest_first.append(item)
    missing = len(items) - len(newest_first)
    kept = _as_output(without_orphans(reversed(newest_first)), identity)
    return [_note(missing), *kept] if missing else kept


def compacted_response(
    identity: str, created_at: int, output: Sequence[Json], usage: Usage
) -> dict[str, Any]:
    """Return the body of the answer."""
    return {
        "id": f"resp_{identity}",
        "object": "response.compaction",
        "created_at": created_at,
        "output": list(output),
        "usage": usage_object(usage),
    }


def _is_of_user(item: Json) -> bool:
    return text_at(item, "type") == "message" and text_at(item, "role") == "user"


def _as_output(items: Iterable[Json], identity: str) -> list[Json]:
    return [
        {"id": f"msg_{identity}{index:04x}", "status": "completed", **item}
        if _is_of_user(item)
        else item
        for index, item in enumerate(items)
    ]


def _note(missing: int) -> Json:
    text = (
        f"{missing} older items of this conversation are missing from here on: it had to be "
        "shortened and could not be summarised."
    )
    return {
        "type": "message",
        "role": "developer",
        "content": [{"type": "input_text", "text": text}],
    }
