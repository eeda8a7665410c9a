"""Codex response events in, Anthropic Messages stream events out.

The backend numbers output items and may interleave them; here one item at a time has the
stream and the events of others wait:

    no item      an item's first event gives it the stream
    an item      its deltas open a block when there is something to show; events of other
                 items wait; its `.done` adds what no delta brought, and closes the block
    ended        nothing comes any more

Reasoning is thinking blocks, text and refusals are text blocks, calls are tool use.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from codexia.codex.deltas import TEXT_DELTA, DeltaShape
from codexia.codex.events import FAILED, TERMINAL
from codexia.codex.failures import failure_of_event
from codexia.codex.payload import child_at, children_at, text_at
from codexia.codex.usage import Usage
from codexia.dialects.messages_events import (
    MESSAGE_STOP,
    BlockWriter,
    message_delta,
    message_start,
    total_usage,
)
from codexia.dialects.messages_items import ITEM_DONE, ItemWriter
from codexia.dialects.stop_sequences import StopSequences
from codexia.errors import ContextOverflow, anthropic_envelope
from codexia.sse import named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codexia.errors import CodexiaError
    from codexia.sse import Event, Frame

Json: TypeAlias = dict[str, Any]

INCOMPLETE: Final = {
    "max_output_tokens": "max_tokens",
    "content_filter": "refusal",
    "max_messages": "pause_turn",
}
"""Stop reason by `incomplete_details.reason`; `end_turn` for any other."""

CHARS_PER_TOKEN: Final = 4

TEXT_END: Final = b'"}}\n\n'
"""Of the event of a text delta, after the text."""


@dataclass(frozen=True, slots=True)
class ReplyPlan:
    """What a reply has to know of its request.

    Attributes:
        message_id: of the answer.
        request_id: for the error envelope.
        model: as the client named it.
        context_window: of the model that answers, in tokens.
        input_tokens: size of the prompt, estimated.
        thinking: whether thinking blocks are wanted.
        stop_sequences: where the text is to end.
        tool_names: clients' tool names by the backend's, where they differ.
        manages_context: whether context edits are to be reported.
    """

    message_id: str
    request_id: str
    model: str
    context_window: int
    input_tokens: int = 0
    thinking: bool = False
    stop_sequences: tuple[str, ...] = ()
    tool_names: Mapping[str, str] = field(default_factory=dict[str, str])
    manages_context: bool = False


@dataclass(slots=True)
class MessagesStream:
    """A `ReplyStream` of the Messages dialect.

    Attributes:
        plan: facts of the request.
        usage: as the protocol says.
        served_model: as the protocol says.
        ended: as the protocol says.
    """

    plan: ReplyPlan
    usage: Usage = field(default_factory=Usage, init=False)
    served_model: str = field(default="", init=False)
    ended: bool = field(default=False, init=False)
    _blocks: BlockWriter = field(default_factory=BlockWriter, init=False)
    _items: ItemWriter = field(init=False)
    _current: int | None = field(default=None, init=False)
    _shape: DeltaShape | None = field(default=None, init=False)
    _shape_block: int = field(default=-1, init=False)
    _text_start: bytes = field(default=b"", init=False)
    _waiting: dict[int, list[tuple[str, Json]]] = field(
        default_factory=dict[int, "list[tuple[str, Json]]"], init=False
    )
    _done: set[int] = field(default_factory=set[int], init=False)
    _done_ids: set[str] = field(default_factory=set[str], init=False)

    def __post_init__(self) -> None:
        self._items = ItemWriter(
            self._blocks,
            StopSequences(self.plan.stop_sequences) if self.plan.stop_sequences else None,
            self.plan.message_id,
            self.plan.tool_names,
            thinking=self.plan.thinking,
        )

    def start(self) -> list[Event]:
        """Return the events that open the stream."""
        plan = self.plan
        return [
            message_start(
                plan.message_id,
                plan.model,
                plan.input_tokens,
                manages_context=plan.manages_context,
            )
        ]

    def feed(self, frame: Frame) -> list[Event]:
        """Return the events that one frame causes, maybe none.

        Raises:
            CodexiaError: the frame is the backend's own failure.
        """
        name = frame.event
        if self.ended:
            return []
        if name in ItemWriter.EVENTS:
            payload = frame.json()
            if self._goes_on(name, payload):
                events = self._apply(name, payload)
                if name == TEXT_DELTA and self._shape_block != self._blocks.index and events:
                    self._learn(frame, payload)
                return events
            return self._item_event(name, payload)
        if name in FAILED:
            raise self._sized(failure_of_event(frame.json()))
        if name in TERMINAL:
            return self._terminal(frame.json())
        return []  # prelude, repetitions, and events that are newer than this code

    def splice(self, events: bytes) -> bytes | None:
        """Return what goes to the client for more deltas of the open text block.

        A block is of one part of one item, so the shape of its first delta is that of all.
        """
        blocks = self._blocks
        learned = self._shape_block == blocks.index and blocks.kind == "text"
        if self._shape is None or not learned or self.ended:
            return None
        plain = self._shape.plain_in(events)
        if plain is None:
            return None
        self._items.showed(plain.chars)
        return b"%b%b%b" % (
            self._text_start,
            (TEXT_END + self._text_start).join(plain.texts),
            TEXT_END,
        )

    def fail(self, error: CodexiaError) -> list[Event]:
        """Return the events that end a stream which broke off."""
        if self.ended:
            return []
        if isinstance(error, ContextOverflow) and self._blocks.index >= 0:
            return [*self._items.finish(), *self._stop("model_context_window_exceeded")]
        self.ended = True
        return [anthropic_envelope(self._sized(error), self.plan.request_id)]

    def _learn(self, frame: Frame, payload: Json) -> None:
        """Take note of what the deltas of a text block look like, after its first."""
        if self._items.stops is None and DeltaShape.is_plain(frame):
            self._shape_block = self._blocks.index
            self._shape = DeltaShape.of(frame, payload)
            empty = named([self._blocks.delta("text_delta", "text", "")])
            self._text_start = empty.removesuffix(TEXT_END)

    def _goes_on(self, name: str, payload: Json) -> bool:
        """Return whether an event is of the item that has the stream, as nearly all are."""
        current = self._current
        return current is not None and payload.get("output_index") == current and name != ITEM_DONE

    def _item_event(self, name: str, payload: Json) -> list[Event]:
        events = self._take(name, payload)
        if self._current is None and self._waiting:
            events += self._resume()
        return events

    def _take(self, name: str, payload: Json) -> list[Event]:
        """Return the events of one item's event, none if it has to wait or comes too late."""
        index = payload.get("output_index")
        if not isinstance(index, int):
            index = self._current if self._current is not None else -1
        if self._current is None and index not in self._done:
            self._current = index
        if index == self._current:
            return self._apply(name, payload)
        if index not in self._done:
            self._waiting.setdefault(index, []).append((name, payload))
        return []

    def _apply(self, name: str, payload: Json) -> list[Event]:
        """Return the events of the item that has the stream."""
        events = self._items.feed(name, payload)
        if name == ITEM_DONE:
            self._leave(text_at(child_at(payload, "item"), "id"))
        if self._items.stops is not None and self._items.stop_sequence and not self.ended:
            events += [*self._items.finish(), *self._stop("stop_sequence")]
        return events

    def _leave(self, item_id: str) -> None:
        """Take the stream from the current item."""
        if self._current is not None and self._current >= 0:
            self._done.add(self._current)
        if item_id:
            self._done_ids.add(item_id)
        self._current = None

    def _resume(self) -> list[Event]:
        """Return the events of waiting items, once no item has the stream."""
        events: list[Event] = []
        while self._current is None and self._waiting and not self.ended:
            index = next(iter(self._waiting))
            for name, payload in self._waiting.pop(index):
                if not self.ended:
                    events += self._take(name, payload)
        return events

    def _terminal(self, payload: Json) -> list[Event]:
        response = child_at(payload, "response")
        self.usage = Usage.from_response(response)
        self.served_model = text_at(response, "model")
        events = self._missed(children_at(response, "output"))
        while self._current is not None and not self.ended:
            events += self._items.finish()
            self._leave("")
            events += self._resume()
        if self.ended:
            return events
        return [*events, *self._stop(self._stop_reason(response))]

    def _missed(self, output: list[Json]) -> list[Event]:
        """Return the events of items that only the terminal event tells of; usually it has none."""
        events: list[Event] = []
        for index, item in enumerate(output):
            if not self.ended and text_at(item, "id") not in self._done_ids:
                events += self._item_event(ITEM_DONE, {"output_index": index, "item": item})
        return events

    def _stop_reason(self, response: Json) -> str:
        reason = text_at(child_at(response, "incomplete_details"), "reason")
        if reason or response.get("status") == "incomplete":
            return INCOMPLETE.get(reason, "end_turn")
        if self._items.refused:
            return "refusal"
        return "tool_use" if self._items.called else "end_turn"

    def _stop(self, stop_reason: str) -> list[Event]:
        self.ended = True
        return [
            message_delta(
                stop_reason,
                total_usage(self._known_usage(), self._items.web_searches),
                stop_sequence=self._items.stop_sequence or None,
                manages_context=self.plan.manages_context,
            ),
            MESSAGE_STOP,
        ]

    def _known_usage(self) -> Usage:
        """Return the counts, estimated where the stream ends before the backend told them."""
        if self.usage.total_tokens:
            return self.usage
        output_tokens = self._blocks.sent_chars // CHARS_PER_TOKEN + 1
        return replace(self.usage, input_tokens=self.plan.input_tokens, output_tokens=output_tokens)

    def _sized(self, error: CodexiaError) -> CodexiaError:
        """Return the error; one of an overflow has the numbers that clients look for."""
        if isinstance(error, ContextOverflow):
            error.input_tokens = self.plan.input_tokens
            error.maximum = self.plan.context_window
        return error


@dataclass(slots=True)
class EmptyReply:
    """A `ReplyStream` for `max_tokens: 0`, which asks for no answer and so for no model.

    Attributes:
        plan: facts of the request.
        usage: as the protocol says.
        served_model: as the protocol says.
        ended: as the protocol says.
    """

    plan: ReplyPlan
    usage: Usage = field(default_factory=Usage, init=False)
    served_model: str = field(default="", init=False)
    ended: bool = field(default=False, init=False)

    def start(self) -> list[Event]:
        """Return the whole stream."""
        self.ended = True
        plan = self.plan
        usage = total_usage(Usage(input_tokens=plan.input_tokens))
        flag = plan.manages_context
        return [
            message_start(plan.message_id, plan.model, plan.input_tokens, manages_context=flag),
            message_delta("max_tokens", usage, stop_sequence=None, manages_context=flag),
            MESSAGE_STOP,
        ]

    def feed(self, frame: Frame) -> list[Event]:  # noqa: ARG002 - nothing is ever fed
        """Return no events."""
        return []

    def fail(self, error: CodexiaError) -> list[Event]:  # noqa: ARG002 - it has ended before
        """Return no events."""
        return []
