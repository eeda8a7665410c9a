"""One output item of the backend as Anthropic content blocks.

Every item type follows the same pattern: deltas are passed on as they come, and when the
item is done, whatever its final form has beyond them is added. So it makes no difference
whether the backend sent all deltas, some, or none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

import orjson

from codexia.codex.payload import child_at, children_at, number_at, text_at
from codexia.dialects.signature import signature
from codexia.dialects.tool_ids import tool_use_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from codexia.dialects.messages_events import BlockWriter
    from codexia.dialects.stop_sequences import StopSequences
    from codexia.sse import Event

Json: TypeAlias = dict[str, Any]

ITEM_DONE: Final = "response.output_item.done"

CUSTOM_INPUT_START: Final = '{"input":"'
CUSTOM_INPUT_END: Final = '"}'
"""A custom tool takes bare text, Anthropic's `input` is an object; `input` is its one field."""

PART_BREAK: Final = "\n\n"
"""Between the parts of a reasoning summary, which share one thinking block."""


@dataclass(slots=True)
class ItemWriter:
    """Writes the blocks of the item that has the stream.

    Attributes:
        blocks: where block events come from.
        stops: filter for text, None where the request has no stop sequences.
        message_id: of the answer; ids of what has none are made from it.
        tool_names: clients' tool names by the backend's.
        thinking: whether reasoning is shown.
        called: a tool was called.
        refused: the model refused.
        web_searches: searches made.
        _part: number of the text part that the open text block shows.
        _sent: characters passed on, by part of the item.
        _cited: citations passed on, by part of the item.
    """

    blocks: BlockWriter
    stops: StopSequences | None
    message_id: str
    tool_names: Mapping[str, str]
    thinking: bool = field(kw_only=True)
    called: bool = field(default=False, init=False)
    refused: bool = field(default=False, init=False)
    web_searches: int = field(default=0, init=False)
    _part: int = field(default=0, init=False)
    _sent: dict[int, int] = field(default_factory=dict[int, int], init=False)
    _cited: dict[int, int] = field(default_factory=dict[int, int], init=False)

    @property
    def stop_sequence(self) -> str:
        """The stop sequence that was met, "" while none was."""
        return self.stops.hit if self.stops is not None else ""

    def feed(self, name: str, payload: Json) -> list[Event]:
        """Return the events of one event of the item, one of `EVENTS`."""
        return self.EVENTS[name](self, payload)

    def finish(self) -> list[Event]:
        """Return the events that close the block of an item, complete or not."""
        events = self._close()
        self._sent.clear()
        self._cited.clear()
        self._part = 0
        return events

    def showed(self, chars: int) -> None:
        """Count characters of the open block that went to the client by another way."""
        self._sent[self._part] += chars
        self.blocks.sent_chars += chars

    def _added(self, payload: Json) -> list[Event]:
        item = child_at(payload, "item")
        is_call = text_at(item, "type") in {"function_call", "custom_tool_call"}
        return self._start_call(item) if is_call else []

    def _done(self, payload: Json) -> list[Event]:
        item = child_at(payload, "item")
        complete = self.ITEMS.get(text_at(item, "type"))
        # An item that Anthropic has no form for shows nothing.
        return [*(complete(self, item) if complete is not None else ()), *self.finish()]

    def _text_delta(self, payload: Json) -> list[Event]:
        return self._say(number_at(payload, "content_index"), text_at(payload, "delta"))

    def _text_done(self, payload: Json) -> list[Event]:
        return self._say_rest(number_at(payload, "content_index"), text_at(payload, "text"))

    def _refusal_delta(self, payload: Json) -> list[Event]:
        self.refused = True
        return self._text_delta(payload)

    def _refusal_done(self, payload: Json) -> list[Event]:
        self.refused = True
        return self._say_rest(number_at(payload, "content_index"), text_at(payload, "refusal"))

    def _annotation(self, payload: Json) -> list[Event]:
        return self._cite(number_at(payload, "content_index"), child_at(payload, "annotation"))

    def _complete_message(self, item: Json) -> list[Event]:
        events: list[Event] = []
        for part, content in enumerate(children_at(item, "content")):
            refusal = text_at(content, "refusal")
            self.refused = self.refused or bool(refusal)
            events += self._say_rest(part, text_at(content, "text") or refusal)
            for annotation in children_at(content, "annotations")[self._cited.get(part, 0) :]:
                events += self._cite(part, annotation)
        return events

    def _say_rest(self, part: int, text: str) -> list[Event]:
        return self._say(part, self._rest(part, text))

    def _say(self, part: int, text: str) -> list[Event]:
        if not text:
            return []
        self._sent[part] = self._sent.get(part, 0) + len(text)
        if part == self._part:
            if self.stops is None and self.blocks.kind == "text":
                return [self.blocks.delta("text_delta", "text", text)]
            return self._pass(text)
        events = self._close()
        self._part = part
        return events + self._pass(text)

    def _pass(self, text: str) -> list[Event]:
        if self.stops is not None:
            text = self.stops.feed(text)
        return self._show(text) if text else []

    def _show(self, text: str) -> list[Event]:
        if self.blocks.kind == "text":
            return [self.blocks.delta("text_delta", "text", text)]
        return [
            *self.blocks.stop(),  # and not `_close`: what is held back now comes after `text`
            self.blocks.start({"type": "text", "text": ""}),
            self.blocks.delta("text_delta", "text", text),
        ]

    def _cite(self, part: int, annotation: Json) -> list[Event]:
        shown = self.blocks.kind == "text" and part == self._part
        if not shown or annotation.get("type") != "url_citation":
            return []
        self._cited[part] = self._cited.get(part, 0) + 1
        citation = {
            "type": "web_search_result_location",
            "url": text_at(annotation, "url"),
            "title": text_at(annotation, "title"),
            "cited_text": "",
            "encrypted_index": "",
        }
        return [self.blocks.cite(citation)]

    def _thought_delta(self, payload: Json) -> list[Event]:
        return self._think(number_at(payload, "summary_index"), text_at(payload, "delta"))

    def _thought_done(self, payload: Json) -> list[Event]:
        part = number_at(payload, "summary_index")
        return self._think(part, self._rest(part, text_at(payload, "text")))

    def _complete_reasoning(self, item: Json) -> list[Event]:
        if not self.thinking:
            return []
        events: list[Event] = []
        for part, summary in enumerate(children_at(item, "summary")):
            events += self._think(part, self._rest(part, text_at(summary, "text")))
        content = text_at(item, "encrypted_content")
        if content:
            events += self._open_thinking()
            events.append(self.blocks.delta("signature_delta", "signature", signature(content)))
        return events

    def _think(self, part: int, text: str) -> list[Event]:
        if not text or not self.thinking:
            return []
        events = self._open_thinking()
        if not events and part not in self._sent:
            events = [self.blocks.delta("thinking_delta", "thinking", PART_BREAK)]
        self._sent[part] = self._sent.get(part, 0) + len(text)
        return [*events, self.blocks.delta("thinking_delta", "thinking", text)]

    def _open_thinking(self) -> list[Event]:
        if self.blocks.kind == "thinking":
            return []
        return self._open({"type": "thinking", "thinking": "", "signature": ""})

    def _start_call(self, item: Json) -> list[Event]:
        if self.blocks.kind == "tool_use":
            return []
        self.called = True
        name = text_at(item, "name")
        call_id = text_at(item, "call_id")
        block = {
            "type": "tool_use",
            "id": tool_use_id(call_id) if call_id else self._made_id("toolu"),
            "name": self.tool_names.get(name, name),
            "input": dict[str, Any](),
        }
        return self._open(block)

    def _arguments_delta(self, payload: Json) -> list[Event]:
        return self._argue(text_at(payload, "delta"))

    def _arguments_done(self, payload: Json) -> list[Event]:
        return self._argue(self._rest(0, text_at(payload, "arguments")))

    def _complete_call(self, item: Json) -> list[Event]:
        events = self._start_call(item)
        return [*events, *self._argue(self._rest(0, text_at(item, "arguments")))]

    def _argue(self, text: str) -> list[Event]:
        if not text or self.blocks.kind != "tool_use":
            return []
        self._sent[0] = self._sent.get(0, 0) + len(text)
        return [self.blocks.delta("input_json_delta", "partial_json", text)]

    def _custom_input_delta(self, payload: Json) -> list[Event]:
        return self._input(text_at(payload, "delta"))

    def _complete_custom_call(self, item: Json) -> list[Event]:
        events = self._start_call(item)
        events += self._input(self._rest(0, text_at(item, "input")))
        end = CUSTOM_INPUT_END if self._sent else CUSTOM_INPUT_START + CUSTOM_INPUT_END
        return [*events, self.blocks.delta("input_json_delta", "partial_json", end)]

    def _input(self, text: str) -> list[Event]:
        if not text or self.blocks.kind != "tool_use":
            return []
        start = "" if self._sent else CUSTOM_INPUT_START
        self._sent[0] = self._sent.get(0, 0) + len(text)
        escaped = orjson.dumps(text)[1:-1].decode()
        return [self.blocks.delta("input_json_delta", "partial_json", start + escaped)]

    def _complete_web_search(self, item: Json) -> list[Event]:
        query = _query(child_at(item, "action"))
        if not query:  # the model opened or searched one page; Anthropic has no block for it
            return []
        self.web_searches += 1
        item_id = text_at(item, "id").removeprefix("ws_")
        search_id = f"srvtoolu_{item_id}" if item_id else self._made_id("srvtoolu")
        block = {
            "type": "server_tool_use",
            "id": search_id,
            "name": "web_search",
            "input": dict[str, Any](),
        }
        arguments = orjson.dumps({"query": query}).decode()
        return [
            *self._open(block),
            self.blocks.delta("input_json_delta", "partial_json", arguments),
            *self._open(_search_result(search_id, item)),
        ]

    def _complete_image(self, item: Json) -> list[Event]:
        data = text_at(item, "result")
        if not data:
            return []
        media_type = f"image/{text_at(item, 'output_format') or 'png'}"
        source = {"type": "base64", "media_type": media_type, "data": data}
        return self._open({"type": "image", "source": source})

    def _rest(self, part: int, text: str) -> str:
        return text[self._sent.get(part, 0) :]

    def _open(self, block: Json) -> list[Event]:
        return [*self._close(), self.blocks.start(block)]

    def _close(self) -> list[Event]:
        held = self.stops.flush() if self.stops is not None else ""
        return [*(self._show(held) if held else ()), *self.blocks.stop()]

    def _made_id(self, prefix: str) -> str:
        return f"{prefix}_{self.message_id.removeprefix('msg_')}{self.blocks.index + 1}"

    EVENTS: ClassVar[Mapping[str, Callable[..., list[Event]]]] = {
        "response.output_item.added": _added,
        ITEM_DONE: _done,
        "response.output_text.delta": _text_delta,
        "response.output_text.done": _text_done,
        "response.output_text.annotation.added": _annotation,
        "response.refusal.delta": _refusal_delta,
        "response.refusal.done": _refusal_done,
        "response.reasoning_summary_text.delta": _thought_delta,
        "response.reasoning_summary_text.done": _thought_done,
        "response.function_call_arguments.delta": _arguments_delta,
        "response.function_call_arguments.done": _arguments_done,
        "response.custom_tool_call_input.delta": _custom_input_delta,
    }
    """The events that are decoded; no other says anything that these do not."""

    ITEMS: ClassVar[Mapping[str, Callable[..., list[Event]]]] = {
        "message": _complete_message,
        "reasoning": _complete_reasoning,
        "function_call": _complete_call,
        "custom_tool_call": _complete_custom_call,
        "web_search_call": _complete_web_search,
        "image_generation_call": _complete_image,
    }
    """How the item types are completed when they are done."""


def _query(action: Json) -> str:
    queries = action.get("queries")
    first = queries[0] if isinstance(queries, list) and queries else ""  # pyright: ignore[reportUnknownVariableType]
    return text_at(action, "query") or (first if isinstance(first, str) else "")


def _search_result(search_id: str, item: Json) -> Json:
    content: Any = [
        {
            "type": "web_search_result",
            "url": text_at(source, "url"),
            "title": text_at(source, "title") or text_at(source, "url"),
            "encrypted_content": "",
            "page_age": None,
        }
        for source in children_at(child_at(item, "action"), "sources")
        if text_at(source, "url")
    ]
    if item.get("status") == "failed":
        content = {"type": "web_search_tool_result_error", "error_code": "unavailable"}
    return {"type": "web_search_tool_result", "tool_use_id": search_id, "content": content}
