"""The backend's events as Chat Completions chunks.

A stream is: one chunk with the role; chunks of `content`, `reasoning_content`, `refusal`
and `tool_calls` as they come; one empty delta with the `finish_reason`; the token counts
if they were asked for; `[DONE]`. One that breaks off ends in an error object and has no
`[DONE]`, which is how clients tell the two apart.

The backend tells most things twice, as deltas and whole at the end of a part, of an item
and of the response. How much of each the client has is kept in `_Part` and `_Call`, so what
came only whole is not lost and what came as deltas is not repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from codexia.codex.deltas import DeltaShape
from codexia.codex.failures import failure_of_event
from codexia.codex.payload import Json, child_at, children_at, number_at, text_at
from codexia.codex.usage import Usage
from codexia.dialects.stop_sequences import StopSequences
from codexia.errors import openai_envelope
from codexia.sse import Frame, unnamed

if TYPE_CHECKING:
    from codexia.errors import CodexiaError
    from codexia.sse import Event

DONE: Final = Frame("", b"[DONE]")

PARAGRAPH: Final = "\n\n"
"""Stands between messages of one answer, and between parts of the reasoning summary."""

CALL_TYPES: Final = {
    "function_call": ("function", "arguments"),
    "custom_tool_call": ("custom", "input"),
}
"""What the backend's calls are called here, and the member that has their input."""

INCOMPLETE_REASONS: Final = {
    "max_output_tokens": "length",
    "content_filter": "content_filter",
}


PartKey: TypeAlias = tuple[str, int, int]
"""The member of a delta that a part goes to, its item's output index, its index therein."""


@dataclass(slots=True)
class _Part:
    """A part of the text: where in the `content` it starts, and its characters sent."""

    start: int
    sent: int = 0


@dataclass(slots=True)
class _Call:
    """A tool call: its place in `tool_calls`, and the characters sent of its input."""

    index: int
    kind: str
    field: str
    sent: int = 0


class ChatStream:
    """A `ReplyStream` that writes Chat Completions chunks.

    Attributes:
        ended: the last event was returned.
        usage: token counts, zeros until the backend told them.
        served_model: the model that the backend says it used.
    """

    def __init__(
        self,
        *,
        completion_id: str,
        created: int,
        model: str,
        include_usage: bool = False,
        stop: tuple[str, ...] = (),
        legacy_functions: bool = False,
    ) -> None:
        self.ended = False
        self.usage = Usage()
        self.served_model = ""
        self._envelope: Json = {
            "id": completion_id,
            "object": "chat.completion.chunk",
            "created": created,
            "model": model,
        }
        if include_usage:
            self._envelope["usage"] = None
        self._include_usage = include_usage
        self._legacy_functions = legacy_functions
        self._stop = StopSequences(stop) if stop else None
        self._content_chars = 0
        self._parts: dict[tuple[str, int, int], _Part] = {}
        self._calls: dict[int, _Call] = {}
        self._annotations: list[Json] = []
        self._done_items: set[str] = set()
        self._shape: DeltaShape | None = None
        self._shape_key: PartKey | None = None
        empty = unnamed([self._chunk({"content": ""})])
        start, key, end = empty.partition(b'"content":"')
        self._text_start, self._text_end = start + key, end

    def start(self) -> list[Event]:
        """Return the chunk that names the role."""
        return [self._chunk({"role": "assistant", "content": ""})]

    def feed(self, frame: Frame) -> list[Event]:
        """Return the chunks that one frame causes, maybe none.

        Raises:
            CodexiaError: the frame is a failure, or is not JSON.
        """
        return [] if self.ended else self._feed(frame)

    def splice(self, events: bytes) -> bytes | None:
        """Return what goes to the client for more deltas of the part that had the last one."""
        if self._shape is None or self._shape_key is None or self.ended:
            return None
        plain = self._shape.plain_in(events)
        if plain is None:
            return None
        self._parts[self._shape_key].sent += plain.chars
        self._content_chars += plain.chars
        between = self._text_end + self._text_start
        return b"%b%b%b" % (self._text_start, between.join(plain.texts), self._text_end)

    def fail(self, error: CodexiaError) -> list[Event]:
        """Return the error object that ends a broken stream."""
        if self.ended:
            return []
        self.ended = True
        return [openai_envelope(error)]

    def _feed(self, frame: Frame) -> list[Event]:
        match frame.event:
            case "response.output_text.delta":
                return self._text_delta(frame, frame.json())
            case "response.reasoning_summary_text.delta":
                event = frame.json()
                return self._text(_part_key("reasoning_content", event), text_at(event, "delta"))
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                event = frame.json()
                return self._call_input(number_at(event, "output_index"), text_at(event, "delta"))
            case "response.refusal.delta":
                event = frame.json()
                return self._text(_part_key("refusal", event), text_at(event, "delta"))
            case _:
                return self._whole(frame)

    def _text_delta(self, frame: Frame, event: Json) -> list[Event]:
        key = _part_key("content", event)
        learns = key != self._shape_key and key in self._parts and self._stop is None
        if learns and DeltaShape.is_plain(frame):
            self._shape_key, self._shape = key, DeltaShape.of(frame, event)
        return self._text(key, text_at(event, "delta"))

    def _whole(self, frame: Frame) -> list[Event]:
        match frame.event:
            case "response.output_item.added":
                event = frame.json()
                return self._open_call(number_at(event, "output_index"), child_at(event, "item"))
            case "response.output_text.done":
                event = frame.json()
                return self._rest(_part_key("content", event), text_at(event, "text"))
            case "response.output_item.done":
                event = frame.json()
                return self._item(number_at(event, "output_index"), child_at(event, "item"))
            case "response.completed" | "response.incomplete" | "response.done":
                return self._finish(frame.json())
            case "response.failed" | "error":
                raise failure_of_event(frame.json())
            case _:
                return []

    def _rest(self, key: PartKey, whole: str) -> list[Event]:
        """Return what is missing of a part that is told whole."""
        part = self._parts.get(key)
        return self._text(key, whole[part.sent :] if part else whole)

    def _text(self, key: PartKey, delta: str) -> list[Event]:
        if not delta:
            return []
        part = self._parts.get(key)
        if part is None:
            before = self._separator(key)
            part = _Part(start=self._content_chars + len(before), sent=-len(before))
            self._parts[key] = part
            delta = before + delta
        part.sent += len(delta)
        field = key[0]
        if field != "content":
            return [self._chunk({field: delta})]
        self._content_chars += len(delta)
        if self._stop is None:
            return [self._chunk({"content": delta})]
        return self._until_stop(self._stop, delta)

    def _separator(self, key: PartKey) -> str:
        """Return what goes before a part that begins."""
        field, output_index, _ = key
        items = {item for kind, item, _ in self._parts if kind == field}
        same_message = field != "reasoning_content" and output_index in items
        return PARAGRAPH if items and not same_message else ""

    def _until_stop(self, stop: StopSequences, delta: str) -> list[Event]:
        safe = stop.feed(delta)
        events: list[Event] = [self._chunk({"content": safe})] if safe else []
        if not stop.hit:
            return events
        return [*events, *self._end("stop")]

    def _open_call(self, output_index: int, item: Json) -> list[Event]:
        """Return the chunk that names a call, the first time it is heard of."""
        call_type = CALL_TYPES.get(text_at(item, "type"))
        if call_type is None or output_index in self._calls:
            return []
        kind, field = call_type
        call = self._calls[output_index] = _Call(len(self._calls), kind, field)
        start = {"name": text_at(item, "name"), field: ""}
        if not self._legacy_functions:
            named = {"index": call.index, "id": text_at(item, "call_id"), "type": kind, kind: start}
            return [self._chunk({"tool_calls": [named]})]
        return [self._chunk({"function_call": start})] if call.index == 0 else []

    def _call_input(self, output_index: int, fragment: str) -> list[Event]:
        call = self._calls.get(output_index)
        if call is None or not fragment:  # an unnamed call waits for its item, told whole
            return []
        call.sent += len(fragment)
        part = {call.field: fragment}
        if not self._legacy_functions:
            return [self._chunk({"tool_calls": [{"index": call.index, call.kind: part}]})]
        return [self._chunk({"function_call": part})] if call.index == 0 else []

    def _item(self, output_index: int, item: Json) -> list[Event]:
        """Return what is missing of an item that is told whole."""
        if identity := text_at(item, "id"):
            if identity in self._done_items:
                return []
            self._done_items.add(identity)
        match text_at(item, "type"):
            case "message":
                return self._message(output_index, item)
            case "reasoning":
                return self._summary(output_index, item)
            case "function_call" | "custom_tool_call":
                return self._call(output_index, item)
            case _:
                return []

    def _summary(self, output_index: int, item: Json) -> list[Event]:
        events: list[Event] = []
        for index, part in enumerate(children_at(item, "summary")):
            events += self._rest(("reasoning_content", output_index, index), text_at(part, "text"))
        return events

    def _message(self, output_index: int, item: Json) -> list[Event]:
        events: list[Event] = []
        for index, content in enumerate(children_at(item, "content")):
            if self.ended:
                break
            if text_at(content, "type") == "refusal":
                key = ("refusal", output_index, index)
                events += self._rest(key, text_at(content, "refusal"))
            elif text_at(content, "type") == "output_text":
                key = ("content", output_index, index)
                events += self._rest(key, text_at(content, "text"))
                if part := self._parts.get(key):
                    self._cite(part, children_at(content, "annotations"))
        return events

    def _cite(self, part: _Part, annotations: list[Json]) -> None:
        for annotation in annotations:
            if text_at(annotation, "type") == "url_citation":
                citation = {
                    "start_index": part.start + number_at(annotation, "start_index"),
                    "end_index": part.start + number_at(annotation, "end_index"),
                    "title": text_at(annotation, "title"),
                    "url": text_at(annotation, "url"),
                }
                self._annotations.append({"type": "url_citation", "url_citation": citation})

    def _call(self, output_index: int, item: Json) -> list[Event]:
        events = self._open_call(output_index, item)
        call = self._calls[output_index]
        return events + self._call_input(output_index, text_at(item, call.field)[call.sent :])

    def _finish(self, payload: Json) -> list[Event]:
        response = child_at(payload, "response")
        if text_at(response, "status") == "failed":
            raise failure_of_event(payload)
        self.usage = Usage.from_response(response)
        self.served_model = text_at(response, "model")
        events: list[Event] = []
        for output_index, item in enumerate(children_at(response, "output")):
            events += self._item(output_index, item)
            if self.ended:
                return events
        return events + self._end(self._finish_reason(response))

    def _finish_reason(self, response: Json) -> str:
        reason = text_at(child_at(response, "incomplete_details"), "reason")
        if reason in INCOMPLETE_REASONS:
            return INCOMPLETE_REASONS[reason]
        if not self._calls:
            return "stop"
        return "function_call" if self._legacy_functions else "tool_calls"

    def _end(self, finish_reason: str) -> list[Event]:
        self.ended = True
        events: list[Event] = []
        if self._stop is not None and (held := self._stop.flush()):
            events.append(self._chunk({"content": held}))
        if self._annotations:
            events.append(self._chunk({"annotations": self._annotations}))
        events.append(self._chunk({}, finish_reason))
        if self._include_usage:
            events.append({**self._envelope, "choices": [], "usage": chat_usage(self.usage)})
        return [*events, DONE]

    def _chunk(self, delta: Json, finish_reason: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return {**self._envelope, "choices": [choice]}


def chat_usage(usage: Usage) -> Json:
    """Return token counts in Chat Completions form."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def _part_key(field: str, event: Json) -> PartKey:
    index_name = "summary_index" if field == "reasoning_content" else "content_index"
    return field, number_at(event, "output_index"), number_at(event, index_name)
