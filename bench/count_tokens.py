"""How long the counts of Claude Code's `/context` take, and what the tokenizer takes of memory.

`python -m bench.count_tokens`. One round is 30 calls at once, each with one tool and on a new
connection, and is over when the last answer is here; every count is checked.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import aiohttp
import orjson
import typer
import uvloop

from bench import table
from bench.circumstances import Circumstances
from bench.processes import Gateway, Simulator

CALLS = 30
LIMIT_MS = 300
PATH = "/v1/messages/count_tokens"
PROSE = "Reads a file from the local file system. The path must be absolute, not relative. " * 20


class WrongCount(Exception):
    """An answer was not the count that it should be."""


def main(
    rounds: Annotated[int, typer.Option(help="Rounds of each kind.")] = 20,
    json: Annotated[Path | None, typer.Option(help="Where to save the raw samples.")] = None,
    *,
    quick: Annotated[bool, typer.Option(help="Only see that everything runs.")] = False,
) -> None:
    """Time rounds of counts; exit 1 if one that is not the first is over 300 ms."""
    circumstances = Circumstances.now()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        wall_ms, rss_mb = runner.run(_measure(3 if quick else rounds))
    if json:
        content = {
            "circumstances": circumstances.model_dump(),
            "wall_ms": wall_ms,
            "supervisor_rss_mb": rss_mb,
        }
        json.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    print(circumstances.lines())
    print(f"\n{CALLS} counts at once, one tool each, new connections; until the last answer")
    table.show(
        ("round", "rounds", "ms"),
        [(name, str(len(samples)), table.spread(samples)) for name, samples in wall_ms.items()],
    )
    print("supervisor's memory, MB: " + ", ".join(f"{when} {mb}" for when, mb in rss_mb.items()))
    if max(wall_ms["new tools"] + wall_ms["known tools"]) > LIMIT_MS:
        print(f"a round took more than {LIMIT_MS} ms")
        raise typer.Exit(1)


async def _measure(rounds: int) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Return the duration of the rounds and the memory of the supervisor, by name."""
    with (
        TemporaryDirectory(prefix="codexia-bench-") as folder,
        Simulator() as simulator,
        Gateway(Path(folder) / "home", simulator, simulator.credentials()) as gateway,
    ):
        rss_mb = {"before": _rss_mb(gateway.pid)}
        wall_ms = {"first, loads the tokenizer": [await _round_ms(gateway.url, "first")]}
        rss_mb["after the first round"] = _rss_mb(gateway.pid)
        wall_ms["new tools"] = [
            await _round_ms(gateway.url, f"round {number}") for number in range(rounds)
        ]
        wall_ms["known tools"] = [await _round_ms(gateway.url, "first") for _ in range(rounds)]
        rss_mb["after the last"] = _rss_mb(gateway.pid)
        return wall_ms, rss_mb


async def _round_ms(url: str, name: str) -> float:
    bodies = [orjson.dumps(_body(f"{name} {number:02}")) for number in range(CALLS)]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def count(body: bytes) -> int:
            headers = {"content-type": "application/json"}
            async with session.post(url + PATH, data=body, headers=headers) as reply:
                answer = await reply.json()
                if reply.status != 200:
                    raise WrongCount(answer)
                return answer["input_tokens"]

        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(count(body)) for body in bodies]
        wall_ms = (time.perf_counter() - started) * 1000
    counts = {call.result() for call in calls}
    if len(counts) != 1 or min(counts) < len(PROSE) // 10:
        raise WrongCount(counts)
    return wall_ms


def _body(name: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"file_path": {"type": "string", "description": "Where the file is"}},
        "required": ["file_path"],
    }
    tool = {"name": "read_file", "description": f"{PROSE}{name}", "input_schema": schema}
    messages = [{"role": "user", "content": "foo"}]
    return {"model": "gpt-5.5", "messages": messages, "tools": [tool]}


def _rss_mb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) // 1024


if __name__ == "__main__":
    typer.run(main)
