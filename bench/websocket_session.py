"""A long agent session over HTTP and over WebSocket: bytes that go up, and the time to the answer.

`python -m bench.websocket_session` holds the same conversation over each transport, through the
Messages dialect: so many turns, each with a tool's result, the history sent anew with every
request as agents do. What the backend got is counted by the simulator, messages of a WebSocket
as they are before compression. Every answer is checked, and so is how often the backend was
asked, how many sockets it opened and how many requests went on from an earlier one.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import httpx
import orjson

from bench.circumstances import Circumstances
from bench.processes import Gateway, Simulator
from bench.table import show

if TYPE_CHECKING:
    from collections.abc import Iterator

TRANSPORTS = ("http", "websocket")
MOST_OF_HTTP = 0.15
"""What a WebSocket may upload of what HTTP does."""

SMALL_PART_CHARS = 6_000
LARGE_PART_CHARS = 60_000
"""Instructions and tools of a lean agent, and of a talkative one; they go with every request."""


class WrongSession(Exception):
    """A session did not go as it had to."""


def main() -> None:
    """Measure and print; exit 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--result-chars", type=int, default=10_000, help="of each tool's result")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a smoke run of seconds")
    parser.add_argument("--json", type=Path, help="save raw samples to this file")
    options = parser.parse_args()
    if options.quick:
        options.turns, options.rounds = 5, 1
    circumstances = Circumstances.now()
    print(f"{circumstances.lines()}\n")
    samples = [
        sample
        for round_number in range(options.rounds)
        for fixed_chars in (SMALL_PART_CHARS, LARGE_PART_CHARS)
        for sample in _both(options.turns, options.result_chars, fixed_chars, round_number)
    ]
    shares = _print(samples, options.turns)
    if options.json:
        content = {"circumstances": circumstances.model_dump(), "samples": samples}
        options.json.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    if not options.quick and shares[SMALL_PART_CHARS] > MOST_OF_HTTP:
        sys.exit(1)


def _both(
    turns: int, result_chars: int, fixed_chars: int, round_number: int
) -> Iterator[dict[str, Any]]:
    """Yield a sample of each transport; each has fresh processes."""
    for transport in TRANSPORTS:
        with (
            TemporaryDirectory(prefix="codexia-bench-") as folder,
            Simulator() as simulator,
            Gateway(
                Path(folder) / "home", simulator, simulator.credentials(), transport
            ) as gateway,
        ):
            session = _Session(gateway.url, result_chars, fixed_chars)
            for turn in range(turns):
                session.take(turn)
            stats = httpx.get(f"{simulator.url}/simulator/stats", trust_env=False).json()
            _check(stats, transport, len(session.ttft_ms))
            yield {
                "transport": transport,
                "round": round_number,
                "fixed_chars": fixed_chars,
                "requests": len(session.ttft_ms),
                "context_bytes": len(orjson.dumps(session.messages)),
                "uploaded_bytes": stats["uploaded_bytes"][transport],
                "sockets_opened": stats["sockets_opened"],
                "incremental_requests": stats["incremental_requests"],
                "ttft_ms": session.ttft_ms,
            }


def _check(stats: dict[str, Any], transport: str, requests: int) -> None:
    wanted = {
        "responses_completed": requests,
        "sockets_opened": int(transport == "websocket"),
        "incremental_requests": requests - 1 if transport == "websocket" else 0,
        "violation_count": 0,
        "rejections": 0,
        "disconnects": 0,
    }
    seen = {name: stats[name] for name in wanted}
    if seen != wanted or set(stats["uploaded_bytes"]) != {transport}:
        raise WrongSession(f"{transport}: {seen}, not {wanted}")


class _Session:
    """The client's side: a history that grows, and when each answer began.

    Attributes:
        messages: the history.
        ttft_ms: from sending each request to its first content.
    """

    def __init__(self, url: str, result_chars: int, fixed_chars: int) -> None:
        self.messages: list[dict[str, Any]] = []
        self.ttft_ms: list[float] = []
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=30)
        self._result_chars = result_chars
        schema = {"type": "object", "properties": {"path": {"type": "string"}}}
        self._fixed = {
            "model": "gpt-5.5",
            "max_tokens": 4000,
            "stream": True,
            "thinking": {"type": "enabled", "budget_tokens": 2000},
            "metadata": {"user_id": "user_session_bench"},
            "system": _filler("system", fixed_chars // 2),
            "tools": [
                {
                    "name": "read_file",
                    "description": _filler("tool", fixed_chars // 2),
                    "input_schema": schema,
                }
            ],
        }

    def take(self, turn: int) -> None:
        """Ask, give the tool's result, and get the answer."""
        arguments = f'{{"path": "src/file_{turn}.py"}}'
        said = f"done with {turn}"
        prompt = f"CALLS[[read_file]] ARGS[[{arguments}]] SAY[[{said}]]"
        self.messages.append({"role": "user", "content": prompt})
        (call,) = [block for block in self._ask() if block["type"] == "tool_use"]
        if call["input"] != orjson.loads(arguments):
            raise WrongSession(f"the call came as {call['input']}")
        result = _filler(f"file {turn}", self._result_chars)
        block = {"type": "tool_result", "tool_use_id": call["id"], "content": result}
        self.messages.append({"role": "user", "content": [block]})
        text = [block["text"] for block in self._ask() if block["type"] == "text"]
        if text != [said]:
            raise WrongSession(f"the answer came as {text}")

    def _ask(self) -> list[dict[str, Any]]:
        """Return the blocks of an answer, which is then part of the history."""
        body = orjson.dumps({**self._fixed, "messages": self.messages})
        blocks: list[dict[str, Any]] = []
        ends = 0
        started = time.perf_counter()
        headers = {"content-type": "application/json"}
        with self._http.stream("POST", "/v1/messages", content=body, headers=headers) as reply:
            for line in reply.iter_lines():
                if not line.startswith("data: "):
                    continue
                event = orjson.loads(line[6:])
                if event["type"] == "content_block_start" and not blocks:
                    self.ttft_ms.append((time.perf_counter() - started) * 1000)
                ends += event["type"] == "message_stop"
                _apply(blocks, event)
        if ends != 1:
            raise WrongSession(f"{ends} ends of an answer")
        for block in blocks:
            if block["type"] == "tool_use":
                block["input"] = orjson.loads(block.pop("json", "") or "{}")
        self.messages.append({"role": "assistant", "content": blocks})
        return blocks


def _apply(blocks: list[dict[str, Any]], event: dict[str, Any]) -> None:
    if event["type"] == "content_block_start":
        blocks.append(event["content_block"])
    elif event["type"] == "content_block_delta":
        delta = event["delta"]
        ((name, value),) = [(name, delta[name]) for name in delta if name != "type"]
        key = "json" if name == "partial_json" else name
        blocks[-1][key] = blocks[-1].get(key, "") + value


def _filler(name: str, chars: int) -> str:
    line = f"{name}: a line of text as there are many, and none like another: "
    return "".join(f"{line}{number:06d}\n" for number in range(chars // (len(line) + 7) + 1))


def _print(samples: list[dict[str, Any]], turns: int) -> dict[int, float]:
    """Print the table; return the share of HTTP's bytes by size of the fixed part."""
    shares: dict[int, float] = {}
    for fixed_chars in (SMALL_PART_CHARS, LARGE_PART_CHARS):
        rows: list[list[str]] = []
        sent: dict[str, int] = {}
        for transport in TRANSPORTS:
            mine = [
                each
                for each in samples
                if (each["transport"], each["fixed_chars"]) == (transport, fixed_chars)
            ]
            sent[transport] = mine[0]["uploaded_bytes"]
            ttft_ms = sorted(each for sample in mine for each in sample["ttft_ms"])
            late_ms = sorted(each for sample in mine for each in sample["ttft_ms"][-10:])
            rows.append(
                [
                    transport,
                    str(mine[0]["requests"]),
                    f"{mine[0]['context_bytes'] / 1000:.0f}",
                    f"{sent[transport] / 1000:.0f}",
                    f"{sent[transport] / sent['http']:.1%}",
                    f"{statistics.median(ttft_ms):.1f}",
                    f"{statistics.median(late_ms):.1f}",
                ]
            )
        shares[fixed_chars] = sent["websocket"] / sent["http"]
        print(f"{turns} turns, {fixed_chars / 1000:g} kB of instructions and tools")
        header = ["transport", "requests", "history kB", "uploaded kB", "of http",
                  "ttft ms p50", "of the last ten"]  # fmt: skip
        show(header, rows)
        print()
    return shares


if __name__ == "__main__":
    main()
