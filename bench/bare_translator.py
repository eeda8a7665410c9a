"""The floor of a translator in Python: `python -m bench.bare_translator URL AUTH_JSON`.

Messages and Chat Completions in, Codex Responses out and back, streamed: one process, asyncio
protocols on uvloop, httptools to parse HTTP on both sides, orjson, one write for each read. It
decodes every delta and encodes it again, as any translator of text must that does not know how
the other side writes JSON.

It is no gateway, and leaves out what one is for: local keys and Host checks, requests that are
not one text after the other (tools, images, reasoning, parameters), their validation, answers
that are not streamed, whatever of a stream is not text, errors of either side, timeouts, limits,
back-pressure, cancellation upstream when the client leaves, quotas, metrics, logs, line ends
other than LF, compression of requests, TLS.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

import httptools
import orjson
import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable

DELTA = b"event: response.output_text.delta\n"
COMPLETED = b"event: response.completed\n"
RESPONSE_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


class Translation(Protocol):
    """One answer in one dialect, as the bytes of its events."""

    def start(self) -> bytes:
        """Return what comes before the first delta."""
        ...

    def delta(self, text: str) -> bytes:
        """Return one delta."""
        ...

    def end(self, response: dict[str, Any]) -> bytes:
        """Return what comes after the last delta; `response` is the completed one."""
        ...


class MessagesTranslation:
    """As Anthropic's Messages."""

    def __init__(self, model: str) -> None:
        self._model = model

    def start(self) -> bytes:
        """Return the message's and the one block's start."""
        message: dict[str, Any] = {
            "id": "msg_bare",
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        }
        return (
            b'event: message_start\ndata: {"type":"message_start","message":'
            + orjson.dumps(message)
            + b'}\n\nevent: content_block_start\ndata: {"type":"content_block_start","index":0,'
            b'"content_block":{"type":"text","text":""}}\n\n'
        )

    def delta(self, text: str) -> bytes:
        """Return one `content_block_delta`."""
        return (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
            b'"delta":{"type":"text_delta","text":' + orjson.dumps(text) + b"}}\n\n"
        )

    def end(self, response: dict[str, Any]) -> bytes:
        """Return the block's and the message's end."""
        usage = {name: response["usage"][name] for name in ("input_tokens", "output_tokens")}
        return (
            b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
            b'event: message_delta\ndata: {"type":"message_delta","delta":'
            b'{"stop_reason":"end_turn","stop_sequence":null},"usage":'
            + orjson.dumps(usage)
            + b"}\n\n"
            b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
        )


class ChatTranslation:
    """As Chat Completions."""

    def __init__(self, model: str) -> None:
        head = {
            "id": "chatcmpl-bare",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": model,
        }
        self._head = b"data: " + orjson.dumps(head)[:-1] + b',"choices":[{"index":0,'

    def start(self) -> bytes:
        """Return the chunk with the role."""
        return self._head + b'"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'

    def delta(self, text: str) -> bytes:
        """Return one chunk."""
        content = orjson.dumps(text)
        return self._head + b'"delta":{"content":' + content + b'},"finish_reason":null}]}\n\n'

    def end(self, response: dict[str, Any]) -> bytes:  # noqa: ARG002 - nobody asked for the usage
        """Return the last chunk and the end of the stream."""
        return self._head + b'"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


class Upstream(asyncio.Protocol):
    """A kept-alive connection to the backend, which carries one stream at a time."""

    def __init__(self, pool: list[Upstream]) -> None:
        self._pool = pool
        self._left = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def send(
        self, request: bytes, translation: Translation, write: Callable[[bytes], None]
    ) -> None:
        """Send a request; `write` gets the translated stream, piece by piece."""
        self._parser = httptools.HttpResponseParser(self)
        self._translation = translation
        self._write = write
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Translate what one read brought, and write it at once."""
        self._events: list[bytes] = []
        self._ended = False
        self._parser.feed_data(data)
        content = b"".join(self._events)
        if content:
            self._write(b"%x\r\n%b\r\n" % (len(content), content))
        if self._ended:
            self._write(b"0\r\n\r\n")
            self._pool.append(self)

    def on_body(self, body: bytes) -> None:
        """Translate the whole events of a piece."""
        *blocks, self._left = (self._left + body).split(b"\n\n")
        for block in blocks:
            if block.startswith(DELTA):
                delta = orjson.loads(block[len(DELTA) + 6 :])["delta"]
                self._events.append(self._translation.delta(delta))
            elif block.startswith(COMPLETED):
                response = orjson.loads(block[len(COMPLETED) + 6 :])["response"]
                self._events.append(self._translation.end(response))

    def on_message_complete(self) -> None:
        """Note that the backend's answer has ended."""
        self._ended = True


class Client(asyncio.Protocol):
    """A connection from a client, one request after the other."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with the first request."""
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._body: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        """Parse."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Remember what is asked for."""
        self._path = url

    def on_body(self, body: bytes) -> None:
        """Remember a piece of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Answer the request."""
        asked = orjson.loads(b"".join(self._body))
        self._body.clear()
        is_messages = self._path == b"/v1/messages"
        translation = (MessagesTranslation if is_messages else ChatTranslation)(asked["model"])
        start = translation.start()
        self._transport.write(b"%b%x\r\n%b\r\n" % (RESPONSE_HEAD, len(start), start))
        self._backend.send(_codex_body(asked), translation, self._transport.write)


class Backend:
    """The connections to the backend."""

    def __init__(self, url: str, login: dict[str, str], connecting: asyncio.TaskGroup) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "", address.port or 80
        self._pool: list[Upstream] = []
        self._connecting = connecting
        self._head = (
            "POST /backend-api/codex/responses HTTP/1.1\r\n"
            f"host: {address.netloc}\r\n"
            f"authorization: Bearer {login['access_token']}\r\n"
            f"chatgpt-account-id: {login['account_id']}\r\n"
            "originator: bare\r\nuser-agent: bare/1\r\nsession-id: bare\r\n"
            "accept: text/event-stream\r\ncontent-type: application/json\r\ncontent-length: "
        ).encode()

    def send(self, body: bytes, translation: Translation, write: Callable[[bytes], None]) -> None:
        """Send a request on a free connection, or on a new one."""
        request = b"%b%d\r\n\r\n%b" % (self._head, len(body), body)
        if self._pool:
            self._pool.pop().send(request, translation, write)
            return
        self._connecting.create_task(self._send_on_new(request, translation, write))

    async def _send_on_new(
        self, request: bytes, translation: Translation, write: Callable[[bytes], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        _, upstream = await loop.create_connection(
            lambda: Upstream(self._pool), self._host, self._port
        )
        upstream.send(request, translation, write)


def _codex_body(asked: dict[str, Any]) -> bytes:
    instructions = asked.get("system", "")
    items: list[dict[str, str]] = []
    for message in asked["messages"]:
        if message["role"] == "system":
            instructions = message["content"]
        else:
            items.append({"role": message["role"], "content": message["content"]})
    return orjson.dumps(
        {
            "model": asked["model"],
            "instructions": instructions,
            "input": items,
            "store": False,
            "stream": True,
        }
    )


def main() -> None:
    """Serve until the end of the process; tells the address on standard output first."""
    upstream_url, auth_json = sys.argv[1:]
    uvloop.run(_serve(upstream_url, orjson.loads(Path(auth_json).read_bytes())))


async def _serve(upstream_url: str, login: dict[str, str]) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as connecting:
        backend = Backend(upstream_url, login, connecting)
        server = await loop.create_server(lambda: Client(backend), "127.0.0.1", 0, backlog=2048)
        port = server.sockets[0].getsockname()[1]
        print(f"bare translator listening on http://127.0.0.1:{port}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    main()
