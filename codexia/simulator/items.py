"""The output items of a generated answer, each able to write its own events.

Shapes and order of the events are those of the transcripts: `output_item.added`, the parts and
deltas, `output_item.done`. Items hold what they say; ids are made when they are written.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from codexia.simulator.encrypted import new_encrypted_content

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from codexia.simulator.events import EventNumbering

PNG_BASE64 = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5Er"
    "kJggg=="
)
"""A whole PNG of one pixel."""

IMAGE_FORM = {"background": "opaque", "output_format": "png", "quality": "low", "size": "1x1"}
IMAGE_TOKENS = 196
PIECE_LENGTH = 5
"""Characters in a delta of an answer whose shape nobody asked for."""


def new_id(prefix: str) -> str:
    """Return a unique id such as `msg_…`, 54 characters at most as the backend's."""
    return f"{prefix}_{secrets.token_hex(20)}"


def pieces(text: str, length: int = PIECE_LENGTH) -> list[str]:
    """Return the text cut into deltas."""
    return [text[start : start + length] for start in range(0, len(text), length)]


class OutputItem(Protocol):
    """One item of a response's output."""

    @property
    def output_chars(self) -> int:
        """Characters that count as output tokens."""
        ...

    def frames(self, numbering: EventNumbering, index: int) -> Iterator[bytes]:
        """Yield the item's events in order; `index` is its `output_index`."""
        ...


def _framed(
    numbering: EventNumbering,
    index: int,
    added: dict[str, Any],
    between: Iterator[bytes],
    done: dict[str, Any],
) -> Iterator[bytes]:
    yield numbering.frame("response.output_item.added", item=added, output_index=index)
    yield from between
    yield numbering.frame("response.output_item.done", item=done, output_index=index)


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A reasoning item; `summaries` are its summary parts, each a list of deltas."""

    summaries: Sequence[Sequence[str]] = ()
    encrypted: bool = True

    @property
    def output_chars(self) -> int:
        """Characters that count as output tokens; reasoning is counted apart."""
        return 0

    def frames(self, numbering: EventNumbering, index: int) -> Iterator[bytes]:
        """Yield the item's events; the interim encrypted content differs from the final one."""
        item_id = new_id("rs")
        parts = [{"type": "summary_text", "text": "".join(each)} for each in self.summaries]
        yield from _framed(
            numbering,
            index,
            self._item(item_id, []),
            self._summary_frames(numbering, item_id, index),
            self._item(item_id, parts),
        )

    def _item(self, item_id: str, summary: list[dict[str, str]]) -> dict[str, Any]:
        item: dict[str, Any] = {"id": item_id, "type": "reasoning"}
        if self.encrypted:
            item["encrypted_content"] = new_encrypted_content()
        return {**item, "summary": summary}

    def _summary_frames(
        self, numbering: EventNumbering, item_id: str, index: int
    ) -> Iterator[bytes]:
        event = "response.reasoning_summary"
        for number, deltas in enumerate(self.summaries):
            place = {"item_id": item_id, "output_index": index, "summary_index": number}
            text = "".join(deltas)
            empty, full = ({"type": "summary_text", "text": each} for each in ("", text))
            yield numbering.frame(f"{event}_part.added", part=empty, **place)
            yield from numbering.deltas(f"{event}_text.delta", deltas, **place)
            yield numbering.frame(f"{event}_text.done", text=text, **place)
            yield numbering.frame(f"{event}_part.done", part=full, **place)


@dataclass(frozen=True, slots=True)
class Message:
    """An assistant message with one text part."""

    deltas: Sequence[str]
    phase: str = "final_answer"
    annotations: Sequence[dict[str, Any]] = ()

    @property
    def output_chars(self) -> int:
        """Characters that count as output tokens."""
        return sum(map(len, self.deltas))

    def frames(self, numbering: EventNumbering, index: int) -> Iterator[bytes]:
        """Yield the item's events."""
        item_id = new_id("msg")
        added = self._item(item_id, "in_progress", [])
        done = self._item(item_id, "completed", [self._part("".join(self.deltas))])
        between = self._part_frames(numbering, item_id, index)
        yield from _framed(numbering, index, added, between, done)

    def _item(self, item_id: str, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": item_id,
            "type": "message",
            "status": status,
            "content": content,
            "phase": self.phase,
            "role": "assistant",
        }

    def _part(self, text: str) -> dict[str, Any]:
        annotations = list(self.annotations) if text else []
        return {"type": "output_text", "annotations": annotations, "logprobs": [], "text": text}

    def _part_frames(self, numbering: EventNumbering, item_id: str, index: int) -> Iterator[bytes]:
        place: dict[str, Any] = {"content_index": 0, "item_id": item_id, "output_index": index}
        text = "".join(self.deltas)
        yield numbering.frame("response.content_part.added", part=self._part(""), **place)
        event = "response.output_text"
        yield from numbering.deltas(f"{event}.delta", self.deltas, logprobs=[], **place)
        for number, annotation in enumerate(self.annotations):
            yield numbering.frame(
                f"{event}.annotation.added",
                annotation=annotation,
                annotation_index=number,
                **place,
            )
        yield numbering.frame(f"{event}.done", logprobs=[], text=text, **place)
        yield numbering.frame("response.content_part.done", part=self._part(text), **place)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a `function` or a `custom` tool; `payload` is its arguments or its input."""

    name: str
    payload: str
    kind: str = "function"
    namespace: str | None = None
    call_id: str = field(default_factory=lambda: f"call_{secrets.token_urlsafe(18)}")

    @property
    def output_chars(self) -> int:
        """Characters that count as output tokens."""
        return len(self.name) + len(self.payload)

    def frames(self, numbering: EventNumbering, index: int) -> Iterator[bytes]:
        """Yield the item's events."""
        prefix, key = ("fc", "arguments") if self.kind == "function" else ("ctc", "input")
        item_id = new_id(prefix)
        item: dict[str, Any] = {
            "id": item_id,
            "type": "function_call" if self.kind == "function" else "custom_tool_call",
            "call_id": self.call_id,
            "name": self.name,
        }
        if self.namespace:
            item["namespace"] = self.namespace
        added = {**item, "status": "in_progress", key: ""}
        done = {**item, "status": "completed", key: self.payload}
        event = f"response.{item['type']}_{key}"
        place: dict[str, Any] = {"item_id": item_id, "output_index": index}

        def payload_frames() -> Iterator[bytes]:
            yield from numbering.deltas(f"{event}.delta", pieces(self.payload, 6), **place)
            yield numbering.frame(f"{event}.done", **{key: self.payload}, **place)

        yield from _framed(numbering, index, added, payload_frames(), done)


@dataclass(frozen=True, slots=True)
class ShellCall:
    """A call of the hosted-shape `local_shell` tool."""

    command: str

    @property
    def output_chars(self) -> int:
        """Characters that count as output tokens."""
        return len(self.command)

    def frames(self, numbering: EventNumbering, index: int) -> Iterator[bytes]:
        """Yield the item's events."""
        action: dict[str, Any] = {
            "type": "exec",
            "command": ["bash", "-lc", self.command],
            "env": {},
        }
        item: dict[str, Any] = {
            "id": new_id("lsh"),
            "type": "local_shell_call",
            "call_id": f"call_{secrets.token_urlsafe(18)}",
            "action": action,
        }
        added, done = ({**item, "status": status} for status in ("in_progress", "completed"))
        yield from _framed(numbering, index, added, iter(()), done)


@dataclass(frozen=True, slots=True)
class WebSearchCall:
    """A search that the backend made by itself.

    Attributes:
        query: what it looked for.
        sources: addresses of what it read; the backend tells them only if asked to.
    """

    query: str
    sources: tuple[str, ...] = ()

    @property
    def output_chars(self) -> int:
        """Characters that count as output tokens."""
        return len(self.query)

    def frames(self, numbering: EventNumbering, index: int) -> Iterator[bytes]:
        """Yield the item's events."""
        item_id = new_id("ws")
        item = {"id": item_id, "type": "web_search_call"}
        action: dict[str, Any] = {
            "type": "search",
            "query": self.query,
            "queries": [self.query],
        }
        if self.sources:
            action["sources"] = [{"type": "url", "url": url} for url in self.sources]
        place: dict[str, Any] = {"item_id": item_id, "output_index": index}
        between = (
            numbering.frame(f"response.web_search_call.{step}", **place)
            for step in ("in_progress", "searching", "completed")
        )
        added = {**item, "status": "in_progress"}
        done = {**item, "status": "completed", "action": action}
        yield from _framed(numbering, index, added, between, done)


@dataclass(frozen=True, slots=True)
class ImageCall:
    """An image made by the hosted tool: a PNG of one pixel, which says that it is as asked for.

    Attributes:
        prompt: what it shows.
        tool: as the request offers it.
    """

    prompt: str
    tool: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def output_chars(self) -> int:
        """Characters that count as output tokens; images are counted apart."""
        return 0

    def frames(self, numbering: EventNumbering, index: int) -> Iterator[bytes]:
        """Yield the item's events; the image is in `output_item.done` and in partials before."""
        item_id = new_id("ig")
        item = {"id": item_id, "type": "image_generation_call"}
        made = {"action": "generate", **self._form(), "result": PNG_BASE64}
        done = {**item, "status": "completed", **made, "revised_prompt": self.prompt}
        between = self._progress_frames(numbering, item_id, index)
        yield from _framed(numbering, index, {**item, "status": "in_progress"}, between, done)

    def _progress_frames(
        self, numbering: EventNumbering, item_id: str, index: int
    ) -> Iterator[bytes]:
        event = "response.image_generation_call"
        place: dict[str, Any] = {"item_id": item_id, "output_index": index}
        yield numbering.frame(f"{event}.in_progress", **place)
        yield numbering.frame(f"{event}.generating", **place)
        for number in range(self.tool.get("partial_images", 1)):
            partial = {"partial_image_b64": PNG_BASE64, "partial_image_index": number}
            yield numbering.frame(f"{event}.partial_image", **self._form(), **partial, **place)

    def _form(self) -> dict[str, str]:
        asked = {name: self.tool[name] for name in IMAGE_FORM if name in self.tool}
        return {**IMAGE_FORM, **{name: said for name, said in asked.items() if said != "auto"}}


@dataclass(frozen=True, slots=True)
class Compaction:
    """The history of a conversation in one opaque item."""

    @property
    def output_chars(self) -> int:
        """Characters that count as output tokens."""
        return 0

    def frames(self, numbering: EventNumbering, index: int) -> Iterator[bytes]:
        """Yield the item's events."""
        item = {
            "id": new_id("cmp"),
            "type": "compaction",
            "encrypted_content": new_encrypted_content(),
        }
        yield from _framed(numbering, index, item, iter(()), item)
