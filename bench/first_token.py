"""Where the time to a first token goes: `python -m bench.first_token`.

One stream at a time, in Anthropic's dialect, through one worker. The worker notes when it comes to
each point of the way; the clock is the same for all processes. Medians of two runs: one with a
rest before each request and pauses between deltas, as one user at a time has them, and one with
neither, in which caches are warm and nobody sleeps for long.
"""

from __future__ import annotations

import socket
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import orjson

from bench.circumstances import Circumstances
from bench.dialects import DIALECTS
from bench.processes import Gateway, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable

PROMPT: Final = "STREAM[[deltas=4 gap_ms={gap_ms} size=8 first_ms=0]]"
STREAMS: Final = 300
WARM_UP: Final = 50
REST_MS: Final = 4
GAP_MS: Final = 3
TEXT: Final = b"text_delta"

POINTS: Final = {
    "app": "the app has the request",
    "body": "its body is here",
    "translated": "it is translated",
    "asked": "the backend is asked",
    "answered": "the backend's first bytes are here",
    "text": "the backend's first text is here",
    "sent": "the first text goes to the server",
}


def main() -> None:
    """Measure and print, or be the worker that is measured."""
    if sys.argv[1:2] == ["--generation"]:
        from codexia_workers.__main__ import main as serve  # noqa: PLC0415

        _note_points(Way(Path(sys.argv[2])))
        serve()
        return
    print(Circumstances.now().lines(), end="\n\n")
    with TemporaryDirectory(prefix="codexia-bench-") as folder, Simulator() as simulator:
        notes = Path(folder) / "notes"
        timed = type("TimedGateway", (Gateway,), {"program": _program(notes)})
        with timed(Path(folder) / "home", simulator, simulator.credentials()) as gateway:
            _streams(gateway.url, notes, WARM_UP, 0, 0)
            rested = _streams(gateway.url, notes, STREAMS, REST_MS, GAP_MS)
            hurried = _streams(gateway.url, notes, STREAMS, 0, 0)
    print(f"{STREAMS} streams each, ms since the request was sent, and since the point before")
    print(f"{'':<38}{'with pauses':>18}{'without':>18}")
    before = (0.0, 0.0)
    for name, words in {**POINTS, "seen": "the client has it"}.items():
        now = (rested[name], hurried[name])
        columns = "".join(
            f"{at:>10.2f} {at - past:>+7.2f}" for at, past in zip(now, before, strict=True)
        )
        print(f"{words:<38}{columns}")
        before = now


def _program(notes: Path) -> tuple[str, ...]:
    """Return a `codexia serve` whose workers note when they come to each point."""
    generation = (sys.executable, "-m", "bench.first_token", "--generation", str(notes))
    serve = (
        "import sys; from codexia.paths import Home; from codexia_supervisor.serve import run\n"
        'flags = {"bind_host": "127.0.0.1", "bind_port": 0, "workers": 1}\n'
        f"sys.exit(run(flags, Home.from_environment(), command={generation!r}))"
    )
    return (sys.executable, "-c", serve)


def _streams(url: str, notes: Path, count: int, rest_ms: float, gap_ms: float) -> dict[str, float]:
    """Return when each point is reached, by the median of some streams."""
    notes.write_bytes(b"")
    host, _, port = url.removeprefix("http://").rpartition(":")
    dialect = DIALECTS["messages"]
    body = orjson.dumps(dialect.body(PROMPT.format(gap_ms=gap_ms)))
    head = (
        f"POST {dialect.path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    times: list[tuple[float, float]] = []
    with socket.create_connection((host, int(port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            time.sleep(rest_ms / 1000)
            times.append(_stream(connection, head.encode() + body))
    while (lines := notes.read_bytes().splitlines()) and len(lines) < count:
        time.sleep(0.01)
    noted = [orjson.loads(line) for line in lines]
    ways = [
        each | {"seen": seen, "began": began}
        for each, (began, seen) in zip(noted, times, strict=True)
    ]
    return {
        name: statistics.median((way[name] - way["began"]) * 1000 for way in ways)
        for name in (*POINTS, "seen")
    }


def _stream(connection: socket.socket, request: bytes) -> tuple[float, float]:
    """Return when a request was sent and when its first text was seen; read it to its end."""
    began = time.perf_counter()
    connection.sendall(request)
    received, seen = b"", 0.0
    while not received.endswith(b"0\r\n\r\n"):
        received += connection.recv(65536)
        if not seen and TEXT in received:
            seen = time.perf_counter()
    assert received.startswith(b"HTTP/1.1 200 "), received
    assert received.count(TEXT) == 4, received
    return began, seen


class Way:
    """When a request came to each point; one begins after the one before was sent whole."""

    def __init__(self, notes: Path) -> None:
        self._notes = notes
        self._points: dict[str, float] = {}

    def begin(self) -> dict[str, float]:
        """Return where the points of a new request will be."""
        self._points = {}
        self.mark("app")
        return self._points

    def mark(self, name: str) -> None:
        """Note that the request is at a point, unless it was there already."""
        self._points.setdefault(name, time.perf_counter())

    def marked(self, name: str, function: Callable[..., Any]) -> Any:
        """Return a function that is a point before it is what it was."""

        def call(*arguments: Any, **named: Any) -> Any:
            self.mark(name)
            return function(*arguments, **named)

        return call

    def write(self, points: dict[str, float]) -> None:
        """Write the points of a request down."""
        with self._notes.open("ab") as file:
            file.write(orjson.dumps(points) + b"\n")


def _note_points(way: Way) -> None:
    """Put the points into the worker's code."""
    from codexia_workers import generate, upstream  # noqa: PLC0415
    from codexia_workers.connection import Connection  # noqa: PLC0415
    from codexia_workers.gate import Gate  # noqa: PLC0415

    serve, receive = Gate.__call__, Connection.data_received

    async def serve_noted(gate: Gate, scope: Any, take: Any, send: Any) -> None:
        def send_noted(message: Any) -> Any:
            if TEXT in message.get("body", b""):
                way.mark("sent")
            return send(message)

        if scope.get("method") != "POST":
            await serve(gate, scope, take, send)
            return
        points = way.begin()
        await serve(gate, scope, take, send_noted)
        way.write(points)

    def receive_noted(connection: Connection, data: bytes) -> None:
        way.mark("answered")
        if b"output_text.delta" in data:
            way.mark("text")
        receive(connection, data)

    noted: list[tuple[Any, str, Any]] = [
        (Gate, "__call__", serve_noted),
        (Connection, "data_received", receive_noted),
        (Connection, "exchange", way.marked("asked", Connection.exchange)),
        (generate, "context_of", way.marked("body", generate.context_of)),
        (generate, "open_reply", way.marked("translated", upstream.open_reply)),
    ]
    for owner, name, function in noted:
        setattr(owner, name, function)


if __name__ == "__main__":
    main()
