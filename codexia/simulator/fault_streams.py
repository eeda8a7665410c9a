"""How a fault changes a stream: frames in, frames and wire orders out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from codexia.simulator.events import is_terminal, unnumbered_frame
from codexia.simulator.fault_answers import failure_message
from codexia.simulator.faults import Cut, Empty, Failed, Fault, Garbage, Stall, Truncate, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codexia.simulator.response import ResponseStream

GARBAGE_FRAME = b'event: response.output_text.delta\ndata: {"type":"response.output_te\n\n'
UNKNOWN_FIELD = b'data: {"x_future":{"nested":[1,null,"two"]},'
UNKNOWN_ITEM_INDEX = 99
PRELUDE_FRAMES = 2


@dataclass(frozen=True, slots=True)
class Pause:
    """Order to send nothing for a time; None is until the client goes."""

    for_s: float | None


@dataclass(frozen=True, slots=True)
class Abort:
    """Order to kill the connection once everything before it has left."""

    reset: bool


Step = bytes | Pause | Abort


def broken_stream(
    frames: Iterator[bytes], fault: Fault, response: ResponseStream
) -> Iterator[Step]:
    """Yield the stream as the fault leaves it; faults that are not about frames change nothing.

    `response` words the failure that ends a stream.
    """
    match fault:
        case Cut():
            yield from islice(frames, fault.after)
            if fault.mid:
                following = next(frames, b"")
                yield following[: len(following) // 2]
            yield Abort(fault.reset)
        case Stall():
            yield from islice(frames, fault.after)
            yield Pause(fault.for_s)
            yield from frames
        case Truncate(after=None):
            yield from takewhile(lambda frame: not is_terminal(frame), frames)
        case Truncate():
            yield from islice(frames, fault.after)
        case Garbage():
            yield from islice(frames, fault.after)
            yield GARBAGE_FRAME
            yield from frames
        case Failed():
            sent = list(islice(frames, fault.after))
            yield from sent
            message = failure_message(fault.code)
            yield response.failure(fault.code, message, fault.shape, len(sent))
        case Empty():
            yield from islice(frames, PRELUDE_FRAMES)
            yield from filter(is_terminal, frames)
        case Unknown():
            yield from _strewn(frames)
        case _:
            yield from frames


def _strewn(frames: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the frames with a new field each, among comments, new events and a new item."""
    item = {"id": "holo_1", "type": "hologram_call", "status": "completed", "beams": 3}
    for number, frame in enumerate(frames):
        if is_terminal(frame):
            for step in ("added", "done"):
                event = f"response.output_item.{step}"
                yield unnumbered_frame(event, item=item, output_index=UNKNOWN_ITEM_INDEX)
        yield frame.replace(b"data: {", UNKNOWN_FIELD, 1)
        if not is_terminal(frame):
            yield b": comment\n\n"
            yield unnumbered_frame("response.hologram.delta", delta="?", beam=number)
            yield unnumbered_frame("codex.future", payload={"number": number})
