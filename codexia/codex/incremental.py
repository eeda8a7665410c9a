"""How much of a conversation the backend has already, so that a WebSocket carries only the rest.

A socket's last response can be gone on from where a request says nothing else than the last one
did and its input is the last input, then what the backend answered, then something new. What
the backend answered comes back from clients in their own forms: without ids and states,
several messages as one or one as several, arguments spelled anew. So items are compared by
what they say. And they are compared by one running digest, so that what is kept of a
conversation does not grow with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import orjson

from codexia.codex.payload import children_at, text_at

if TYPE_CHECKING:
    from collections.abc import Collection

    from codexia.codex.payload import Json

UNCOMPARED_FIELDS: Final = frozenset({"input", "client_metadata"})
"""`client_metadata` is no part of what the model reads, and of every turn its own."""

ACCIDENTAL_MEMBERS: Final = frozenset({"id", "status", "phase"})
"""Members of items that clients leave out of what they send back."""

DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Known:
    """What a response leaves with the backend; of the same size for any conversation.

    Attributes:
        response_id: what names it.
        fields: digest of all but the input.
        parts: how many things were said, in the input and in the answer.
        digest: of all of them, in order.
    """

    response_id: str
    fields: bytes
    parts: int
    digest: bytes


class Conversation:
    """One request and its answer, as running digests.

    Attributes:
        fields: digest of all but the input.
    """

    def __init__(self, body: Json, known: Collection[Known] = ()) -> None:
        """Take a request.

        Args:
            body: of the request, complete.
            known: what `covered` can be asked about.
        """
        rest = {name: body[name] for name in body if name not in UNCOMPARED_FIELDS}
        self.fields = blake2b(_canonical(rest), digest_size=DIGEST_BYTES).digest()
        self._digest = blake2b(digest_size=DIGEST_BYTES)
        self._parts = 0
        self._marks: dict[int, tuple[bytes, int]] = {}
        marked = {each.parts for each in known}
        items: list[Json] = body["input"]
        for number, item in enumerate(items, 1):
            self.add(item)
            if self._parts in marked:
                self._marks[self._parts] = self._digest.digest(), number
        self._count = len(items)

    def add(self, item: Json) -> None:
        """Take a further item: of the input, or of the answer."""
        for part in _said(item):
            content = _canonical(part)
            self._digest.update(len(content).to_bytes(8, "big"))
            self._digest.update(content)
            self._parts += 1

    def covered(self, known: Known | None) -> int:
        """Return how many items of the input need not be sent to go on from what is known.

        It is 0 where that cannot be gone on from, or nothing would be left to send.
        """
        if known is None or known.fields != self.fields or known.parts not in self._marks:
            return 0
        digest, number = self._marks[known.parts]
        return number if digest == known.digest and number < self._count else 0

    def ended(self, response_id: str) -> Known:
        """Return what there is to go on from, once the whole answer was added."""
        return Known(response_id, self.fields, self._parts, self._digest.digest())


def _said(item: Json) -> list[Any]:
    """Return what an item says, in parts that are the same however it was put."""
    kind = item.get("type")
    if (
        kind == "message"
        and item.get("role") == "assistant"
        and isinstance(item.get("content"), list)
    ):
        return [said for part in children_at(item, "content") if (said := _said_by_part(part))]
    match kind:
        case "reasoning" if item.get("encrypted_content"):
            return [[kind, item["encrypted_content"]]]
        case "function_call":
            arguments = _meant(text_at(item, "arguments"))
            return [[kind, item.get("call_id"), item.get("namespace"), item.get("name"), arguments]]
        case "custom_tool_call":
            return [[kind, item.get("call_id"), item.get("name"), item.get("input")]]
        case _:
            return [{name: item[name] for name in item if name not in ACCIDENTAL_MEMBERS}]


def _said_by_part(part: Json) -> list[Any]:
    if part.get("type") == "output_text":
        return ["output_text", part["text"]] if part.get("text") else []
    return ["part", part]


def _meant(arguments: str) -> Any:
    """Return what arguments mean; clients decode and encode them again."""
    try:
        return ["json", _canonical(orjson.loads(arguments)).decode()]
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return ["text", arguments]


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
