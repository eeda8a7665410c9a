"""How long after an edit of config.json every worker serves by it.

`python -m bench.config_edits`. An edit is a file that is moved to its place, as editors save;
it changes a key and an alias together. From that instant each worker is asked over a connection
of its own, again and again, until it answers by the edit. An answer that mixes two edits, an
edit that is skipped or one that is still missing after ten seconds fails the run.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from bench import table
from bench.circumstances import Circumstances
from bench.cpu import descendants
from bench.processes import Process, Simulator
from bench.worker_connections import WorkerConnections
from codexia.control_client import ControlClient

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_MS = 1000
LOST_S = 10.0
PAUSE_S = 0.002


class WrongAnswer(Exception):
    """A worker answered as it never may."""


def main(
    edits: Annotated[int, typer.Option(help="Edits to time.")] = 200,
    workers: Annotated[int, typer.Option(help="Workers of the gateway.")] = 4,
    json: Annotated[Path | None, typer.Option(help="Where to save the raw samples.")] = None,
    *,
    quick: Annotated[bool, typer.Option(help="Only see that everything runs.")] = False,
) -> None:
    """Time edits; exit 1 if one in a hundred takes longer than a second."""
    circumstances = Circumstances.now()
    with TemporaryDirectory(prefix="codexia-bench-") as folder, Simulator() as simulator:
        samples = _measure(Path(folder), simulator, 5 if quick else edits, workers)
    if json:
        content = {"circumstances": circumstances.model_dump(), "ms": samples}
        json.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    print(circumstances.lines())
    print(f"\n{len(samples['last worker'])} edits, {workers} workers, from the rename on; ms")
    table.show(
        ("until it serves by the edit", "p50", "p90", "p99", "max"),
        [[name, *_quantiles(values)] for name, values in samples.items()],
    )
    if _quantile(samples["last worker"], 0.99) > LIMIT_MS:
        print(f"p99 is over {LIMIT_MS} ms")
        raise typer.Exit(1)


def _measure(
    folder: Path, simulator: Simulator, edits: int, workers: int
) -> dict[str, list[float]]:
    """Return how long each edit took until the first and the last worker had it, in ms."""
    base = {
        "bind_port": 0,
        "workers": workers,
        "upstream_base_url": f"{simulator.url}/backend-api",
        "oauth_issuer": simulator.url,
    }
    _save(folder, base, 0)
    serve = ("-m", "codexia", "serve")
    environment = {"CODEXIA_HOME": str(folder)}
    (folder / "auth.json").touch(mode=0o600)
    (folder / "auth.json").write_bytes(simulator.credentials())
    samples: dict[str, list[float]] = {"first worker": [], "last worker": []}
    with Process(sys.executable, *serve, environment=environment) as gateway:
        port = int(gateway.announced_url().rpartition(":")[2])
        status = ControlClient(folder / "run" / "supervisor.sock").status()
        pids = descendants(status.generations[-1].pid)
        if len(pids) != workers:
            raise WrongAnswer(f"{len(pids)} workers, not {workers}")
        with WorkerConnections(port, pids) as connections:
            for number in range(1, edits + 1):
                # Anywhere in the watcher's cycle.
                time.sleep(random.uniform(0.05, 0.6))
                saved_at = _save(folder, base, number)
                took = _until_all(connections, number, saved_at)
                samples["first worker"].append(min(took))
                samples["last worker"].append(max(took))
    return samples


def _save(folder: Path, base: dict[str, Any], number: int) -> float:
    """Return the instant from which the file holds an edit."""
    settings = {**base, "api_key": f"key-{number}", "model_aliases": {f"alias-{number}": "gpt-5.5"}}
    draft = folder / "config.json.new"
    draft.write_bytes(orjson.dumps(settings))
    draft.replace(folder / "config.json")
    return time.perf_counter()


def _until_all(connections: WorkerConnections, number: int, saved_at: float) -> list[float]:
    """Return when each worker answered by the edit for the first time, ms after it."""
    took: dict[int, float] = {}
    while len(took) < len(connections.by_pid):
        for pid in connections.by_pid.keys() - took.keys():
            if _has(lambda key, pid=pid: _aliases(connections, pid, key), number):
                took[pid] = (time.perf_counter() - saved_at) * 1000
        if time.perf_counter() - saved_at > LOST_S:
            raise WrongAnswer(f"edit {number} is not in force in every worker")
        time.sleep(PAUSE_S)
    return list(took.values())


def _has(aliases: Callable[[str], list[str] | None], number: int) -> bool:
    """Return whether a worker serves by an edit, and not yet by the one before."""
    new = aliases(f"key-{number}")
    if new is None:
        return False
    if new != [f"alias-{number}"]:
        raise WrongAnswer(f"the key of edit {number} gave {new}")
    return True


def _aliases(connections: WorkerConnections, pid: int, key: str) -> list[str] | None:
    """Return the aliases that a worker lists for the holder of a key, None if it refuses it."""
    status, body = connections.get(pid, "/v1/models", authorization=f"Bearer {key}")
    if status == 401:
        return None
    names = [model["id"] for model in orjson.loads(body)["data"]]
    return [name for name in names if name.startswith("alias-")]


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _quantiles(values: list[float]) -> list[str]:
    middle = statistics.median(values)
    numbers = (middle, _quantile(values, 0.9), _quantile(values, 0.99), max(values))
    return [f"{number:.0f}" for number in numbers]


if __name__ == "__main__":
    typer.run(main)
