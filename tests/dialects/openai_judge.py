"""Runs the OpenAI dialects over backend streams, and lets the official SDK read what they write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import orjson

from codexia.errors import UpstreamTruncated
from codexia.sse import Frame, FrameSplitter
from tests.dialects.transcripts import context, play_frames

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codexia.dialects.dialect import Dialect


@dataclass
class Reply:
    """What a client gets.

    Attributes:
        wire: the bytes of the stream.
        whole: the collected answer.
    """

    wire: bytes
    whole: dict[str, Any]

    def payloads(self) -> list[dict[str, Any]]:
        """Return the decoded frames, without `[DONE]`."""
        frames = FrameSplitter().feed(self.wire)
        return [frame.json() for frame in frames if frame.data != b"[DONE]"]


def reply_to(dialect: Dialect, body: dict[str, Any], frames: Iterable[Frame]) -> Reply:
    """Return the reply to `body` when the backend sends these frames and ends."""
    translation = dialect.translate(body, context())
    events = play_frames(translation.reply, frames)
    assert translation.reply.ended
    assert translation.reply.feed(Frame("response.output_text.delta", b'{"delta":"late"}')) == []
    assert translation.reply.fail(UpstreamTruncated("late")) == []
    for event in events:
        translation.collector.add(event)
    return Reply(dialect.encode(events), translation.collector.result())


def sdk(answer: bytes | dict[str, Any], *, strict: bool = True) -> openai.OpenAI:
    """Return an SDK client to which every request is answered with this stream or body."""
    stream = isinstance(answer, bytes)
    content = answer if isinstance(answer, bytes) else orjson.dumps(answer)
    headers = {"content-type": "text/event-stream" if stream else "application/json"}

    def handle(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=content, headers=headers)

    return openai.OpenAI(
        api_key="k",
        base_url="http://codexia.test/v1",
        http_client=httpx2.Client(transport=httpx2.MockTransport(handle)),
        _strict_response_validation=strict,
    )
