"""Whether two replies to a client say the same, and where they first do not.

What is new in every exchange does not count: ids that are made of the request's, times, and the
pings of a slow stream.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

import orjson

from codexia.errors import CodexiaError
from codexia.sse import FrameSplitter

if TYPE_CHECKING:
    from codexia.recordings.recording import Reply

CLOCKS: Final = re.compile(r'("(?:created|created_at|completed_at)":\s?)\d+(?:\.\d+)?')
PINGS: Final = frozenset({"ping", "keepalive"})

FREE: Final = frozenset({"arguments", "input", "parameters"})
"""Names of values whose own shape is content."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where two replies differ.

    Attributes:
        where: which part of the reply.
        recorded: what it was, "" where there was nothing.
        replayed: what it is now.
    """

    where: str
    recorded: str
    replayed: str


@dataclass(frozen=True, slots=True)
class Told:
    """A reply to a client, and the id of its request."""

    reply: Reply
    request_id: str

    def parts(self, *, shapes_only: bool) -> list[tuple[str, str]]:
        """Return what it says, part by part, each with a name for it."""
        reply = self.reply
        parts = [("status", str(reply.status))]
        body = self._settled(reply.body)
        if not _is_stream(reply):
            return [*parts, ("body", _shape(body) if shapes_only else body)]
        try:
            frames = FrameSplitter().feed(body.encode())
        except CodexiaError:
            return [*parts, ("body", body)]
        told = [frame for frame in frames if frame.event not in PINGS]
        for number, frame in enumerate(told, 1):
            data = frame.data.decode("utf-8", "replace")
            said = f"{frame.event}: {_shape(data) if shapes_only else data}"
            parts.append((f"event {number}", said))
        return parts

    def _settled(self, body: str) -> str:
        """Return a body without what is new in every exchange."""
        identity = self.request_id.removeprefix("req_")
        settled = body.replace(identity, "ID") if identity else body
        return CLOCKS.sub(r"\g<1>0", settled)


def first_difference(recorded: Told, replayed: Told, *, shapes_only: bool) -> Difference | None:
    """Return where two replies first differ; None where they say the same.

    Where the recorded client left, what came after does not count.

    Args:
        recorded: what the client got.
        replayed: what a client gets now.
        shapes_only: whether texts do not count, since they were not recorded.
    """
    was = recorded.parts(shapes_only=shapes_only)
    now = replayed.parts(shapes_only=shapes_only)
    if recorded.reply.end != "ended":
        now = now[: len(was)]
    nothing = ("", "")
    for before, after in zip_longest(was, now, fillvalue=nothing):
        if before[1] != after[1]:
            return Difference(before[0] or after[0], before[1], after[1])
    return None


def _is_stream(reply: Reply) -> bool:
    kind = dict(reply.headers).get("content-type", "")
    return kind.startswith("text/event-stream") or reply.body.startswith(("data:", "event:"))


def _shape(text: str) -> str:
    """Return the names and types of a JSON document in place of its values."""
    try:
        decoded: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return "text"
    return orjson.dumps(_typed(decoded)).decode()


def _typed(value: Any) -> Any:
    match value:
        case dict():
            return {name: "..." if name in FREE else _typed(each) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case list():
            return [_typed(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return type(value).__name__
