"""Sending a stream: in large batches, or paced, sliced, stalled and cut as ordered."""

from __future__ import annotations

import asyncio
import socket
import struct
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from codexia.simulator.events import is_delta, is_terminal
from codexia.simulator.fault_streams import Abort, Pause, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp import web

    from codexia.simulator.stats import Stats

BATCH_FRAMES = 128
"""Frames in one write when nothing asks for pauses: about 40 kB of small deltas."""

FLUSH_CHECKS = 1000
LINGER_RESET = struct.pack("ii", 1, 0)


class FrameWriter(Protocol):
    """Where frames go."""

    async def write(self, data: bytes, /) -> None:
        """Write a frame, or a part of one."""
        ...


class EventSender:
    """Writes the frames of one stream and counts them.

    Attributes:
        ended: the client got all that it was meant to get: a terminal event, or the cut.
    """

    def __init__(self, request: web.BaseRequest, response: FrameWriter, stats: Stats) -> None:
        self.ended = False
        self._transport = request.transport
        self._response = response
        self._stats = stats

    async def send_batched(self, frames: Iterator[bytes]) -> None:
        """Send frames as fast as the client takes them."""
        while batch := list(islice(frames, BATCH_FRAMES)):
            await self._response.write(b"".join(batch))
            self._count(batch)
            await asyncio.sleep(0)  # a fast reader would otherwise keep the loop to itself

    async def send_steps(
        self,
        steps: Iterator[Step],
        gap_s: float,
        slice_bytes: int,
        first_s: float | None = None,
    ) -> None:
        """Send one frame at a time.

        Args:
            steps: frames and orders.
            gap_s: pause before each delta, kept against a fixed schedule so that it never drifts.
            slice_bytes: size of the writes that a frame is cut into; 0 leaves it whole.
            first_s: pause before the first delta; None for `gap_s`.
        """
        loop = asyncio.get_running_loop()
        due = loop.time()
        pause_s = gap_s if first_s is None else first_s
        for step in steps:
            match step:
                case Pause():
                    await pause(step.for_s)
                    due = loop.time()
                case Abort():
                    self.ended = True
                    await abort(self._transport, reset=step.reset)
                    return
                case _:
                    if gap_s and is_delta(step):
                        due += pause_s
                        pause_s = gap_s
                        await asyncio.sleep(due - loop.time())
                    await self._write(step, slice_bytes)
                    self._count([step])

    async def _write(self, frame: bytes, slice_bytes: int) -> None:
        if not slice_bytes:
            await self._response.write(frame)
            return
        for start in range(0, len(frame), slice_bytes):
            await self._response.write(frame[start : start + slice_bytes])
            await asyncio.sleep(0)  # lets each piece leave by itself

    def _count(self, frames: list[bytes]) -> None:
        self._stats.events_sent += len(frames)
        if is_terminal(frames[-1]):
            self.ended = True
            self._stats.responses_completed += 1


async def abort(transport: asyncio.Transport | None, *, reset: bool) -> None:
    """Close without the end of the body, after what was written has left the process."""
    if transport is None:
        return
    for _ in range(FLUSH_CHECKS):
        if not transport.get_write_buffer_size():
            break
        await asyncio.sleep(0.001)
    if reset:
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
    transport.abort()


async def pause(for_s: float | None) -> None:
    """Wait; without a time until the handler is cancelled because the client went."""
    if for_s is None:
        await asyncio.Event().wait()
    else:
        await asyncio.sleep(for_s)
