"""The backend's events as Responses events.

The backend speaks this dialect, so nearly everything passes as the bytes that came. Only
the events that carry the response object are rewritten, because the backend's own lacks
members that clients need and tells things that are not theirs; and the items are noted,
because the object that ends the stream usually has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from codexia.codex.deltas import TEXT_DELTA
from codexia.codex.events import FAILED, is_private
from codexia.codex.failures import failure_of_event
from codexia.codex.payload import Json, child_at, children_at, number_at, text_at
from codexia.codex.usage import Usage
from codexia.dialects.responses_defaults import filled_response
from codexia.sse import Frame

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codexia.errors import CodexiaError
    from codexia.sse import Event

PROGRESS: Final = frozenset({"response.created", "response.in_progress", "response.queued"})
ENDS: Final = frozenset({"response.completed", "response.incomplete", "response.done"})

READ: Final = PROGRESS | ENDS | FAILED | {"response.output_item.done"}
"""Events that are decoded; all others pass as bytes."""

UNBEGUN: Final[Json] = {
    "status": "in_progress",
    "completed_at": None,
    "error": None,
    "incomplete_details": None,
    "output": [],
    "usage": None,
}
"""What a response object says before anything happened."""

SEQUENCE_KEY: Final = b'"sequence_number":'

TEXT_DELTA_START: Final = b"event: %b\ndata: {" % TEXT_DELTA.encode()
"""Name, data and the blank one."""


class ResponsesStream:
    """A `ReplyStream` that writes Responses events.

    The client's sequence numbers begin at 0 and have no gaps, whatever was left out or put
    in: `_next_number` is the number of the event that is sent next.

    Attributes:
        ended: the terminal event was returned.
        usage: token counts, zeros until the backend told them.
        served_model: the model that the backend says it used.
    """

    def __init__(
        self, *, response_id: str, created_at: int, model: str, echo: Mapping[str, Any]
    ) -> None:
        self.ended = False
        self.usage = Usage()
        self.served_model = ""
        self._echo = echo
        # A complete response object at any time, with what is known so far.
        self._response: Json = {}
        self._learn(
            {"id": response_id, "created_at": created_at, "status": "in_progress", "model": model}
        )
        self._items: dict[int, Json] = {}
        self._next_number = 0

    def start(self) -> list[Event]:
        """Return nothing: the backend's own first event opens the stream."""
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Return the events that one frame causes, maybe none.

        Raises:
            CodexiaError: the frame is a failure, or is not JSON.
        """
        if self.ended or is_private(frame.event):
            return []
        return self._read(frame) if frame.event in READ else self._pass(frame)

    def splice(self, events: bytes) -> bytes | None:
        """Return events that all are deltas of text as they are to be sent, with their numbers."""
        if self.ended or not self._next_number:
            return None
        number = self._next_number
        for event in events.removesuffix(b"\n\n").split(b"\n\n"):
            if (
                not event.startswith(TEXT_DELTA_START)
                or not event.endswith(b"%b%d}" % (SEQUENCE_KEY, number))
                or event.count(b"\n") != 1
            ):
                return None
            number += 1
        self._next_number = number
        return events

    def fail(self, error: CodexiaError) -> list[Event]:
        """Return the `response.failed` event that ends a broken stream."""
        if self.ended:
            return []
        self.ended = True
        self._response |= {
            "status": "failed",
            "error": {"code": error.code or "server_error", "message": error.message_for("openai")},
            "output": self._output(),
        }
        return [*self._opening(), self._event("response.failed")]

    def _read(self, frame: Frame) -> list[Event]:
        payload = frame.json()
        if frame.event in PROGRESS:
            return self._progress(frame.event, child_at(payload, "response"))
        if frame.event in ENDS:
            return self._end(frame.event, payload)
        if frame.event in FAILED:
            raise failure_of_event(payload)
        self._items[number_at(payload, "output_index")] = child_at(payload, "item")
        return self._pass(frame)

    def _pass(self, frame: Frame) -> list[Event]:
        opened = self._next_number > 0
        numbered = _numbered(frame, self._next_number if opened else 1)
        opening = self._opening()
        self._next_number += 1
        return [*opening, numbered]

    def _progress(self, kind: str, response: Json) -> list[Event]:
        self._learn(response)
        if kind == "response.created":  # a second one would make clients begin anew
            return self._opening()
        return [*self._opening(), self._event(kind)]

    def _opening(self) -> list[Event]:
        """Return `response.created` if nothing was sent yet; clients want it first."""
        if self._next_number:
            return []
        event = self._event("response.created")
        event["response"] |= UNBEGUN
        return [event]

    def _end(self, kind: str, payload: Json) -> list[Event]:
        response = child_at(payload, "response")
        if text_at(response, "status") == "failed":
            raise failure_of_event(payload)
        self._learn(response)
        self.usage = Usage.from_response(response)
        incomplete = kind == "response.incomplete" or text_at(response, "status") == "incomplete"
        status = "incomplete" if incomplete else "completed"
        self._response |= {
            "status": status,
            "output": children_at(response, "output") or self._output(),
        }
        self.ended = True
        return [*self._opening(), self._event(f"response.{status}")]

    def _learn(self, response: Json) -> None:
        said = {name: response[name] for name in response if response[name] is not None}
        self._response = filled_response({**self._response, **said}, self._echo)
        self.served_model = text_at(response, "model") or self.served_model

    def _output(self) -> list[Json]:
        return [self._items[index] for index in sorted(self._items)]

    def _event(self, kind: str) -> Json:
        number = self._next_number
        self._next_number += 1
        return {"type": kind, "response": {**self._response}, "sequence_number": number}


def _numbered(frame: Frame, number: int) -> Frame:
    """Return the frame with this sequence number, untouched if it has it already.

    The backend writes the number last, where it can be read and replaced without decoding.
    The key cannot be part of a string there: its quotes would be escaped.
    """
    written = b"%d}" % number
    key = frame.data.rfind(SEQUENCE_KEY)
    value = key + len(SEQUENCE_KEY)
    if key >= 0 and frame.data[value:] == written:
        return frame
    if key >= 0 and frame.data[value:-1].isdigit():
        return Frame(frame.event, frame.data[:value] + written)
    payload = {**frame.json(), "type": frame.event, "sequence_number": number}
    return Frame(frame.event, orjson.dumps(payload))
