"""What a worker asks of the kernel while it streams: nothing but sockets.

`python -m bench.hot_path`. Traces the worker of a gateway that it started, from the moment
when all connections are open until the last stream has ended. Exits 1 if the worker touched a
file or the supervisor meanwhile, or sent more often to clients than it read from the backend.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from bench import table
from bench.circumstances import Circumstances
from bench.dialects import DIALECTS
from bench.rig import Rig
from bench.scenario import scenarios
from bench.syscalls import RECEIVES, SENDS, Calls, Ports, Strace

if TYPE_CHECKING:
    from bench.job import Seen
    from bench.lane import Lane
    from bench.scenario import Scenario


def main(
    dialect: Annotated[list[str] | None, typer.Option(help="Only these dialects.")] = None,
    trace: Annotated[Path | None, typer.Option(help="Folder to keep the traces in.")] = None,
    *,
    saturated: Annotated[bool, typer.Option(help="Streams without pauses.")] = False,
    quick: Annotated[bool, typer.Option(help="Few and short streams.")] = False,
) -> None:
    """Count system calls of one worker by what they were made on."""
    if not Strace.is_installed():
        print("strace is not installed: nothing measured")
        return
    scenario = scenarios()["saturated" if saturated else "paced"]
    if quick:
        scenario = scenario.smoke()
    print(Circumstances.now().lines())
    broken = False
    with Rig() as rig, TemporaryDirectory(prefix="codexia-trace-") as scratch:
        for name in dialect or DIALECTS:
            output = (trace or Path(scratch)) / f"{name}.strace"
            lane = rig.lane(name)
            assert lane is not None
            calls, seen = _traced(rig, lane, scenario, output)
            print(f"\n{name}, {scenario.name}: {seen.streams} streams, {seen.events} events")
            _show_calls(calls, seen)
            broken |= _show_verdicts(calls)
    if broken:
        raise typer.Exit(1)


def _traced(rig: Rig, lane: Lane, scenario: Scenario, output: Path) -> tuple[Calls, Seen]:
    (worker,) = lane.carriers
    strace = Strace(worker, output)
    try:
        _, seen = rig.stream(lane, scenario, on_ready=strace.attach, on_finished=strace.detach)
    finally:
        strace.detach()
    ports = Ports(gateway=_port(lane.url), backend=_port(rig.simulator.url))
    return strace.calls(ports), seen


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def _show_calls(calls: Calls, seen: Seen) -> None:
    rows = [
        (
            kind,
            name,
            str(count),
            str(calls.moved[kind, name]) if name in SENDS | RECEIVES else "",
            f"{count / seen.streams:.2f}",
            f"{count / seen.events:.3f}",
        )
        for (kind, name), count in sorted(
            calls.made.items(), key=lambda item: (item[0][0], -item[1])
        )
    ]
    table.show(("on", "call", "calls", "moved data", "a stream", "an event"), rows)


def _show_verdicts(calls: Calls) -> bool:
    """Print what must hold; return whether something does not."""
    reads, sends = calls.data("upstream", RECEIVES), calls.data("client", SENDS)
    counts = {
        "files opened, looked up or flushed": calls.named("open", "stat", "access", "sync"),
        "writes to files": calls.data("file", SENDS),
        "reads of files": calls.data("file", RECEIVES),
        "reads and writes on Unix sockets": calls.data("unix", SENDS | RECEIVES),
    }
    for what, count in counts.items():
        print(f"{what}: {count}{'' if count == 0 else '  NOT AS PROMISED'}")
    carrying = sends - calls.heads - calls.ends
    too_many = not 0 < carrying <= reads
    print(
        f"sends to clients: {sends}, of which {calls.heads} were only the head of a response and "
        f"{calls.ends} only the end of its body\nsends of events for each read from the backend: "
        f"{carrying}/{reads} = {carrying / max(1, reads):.3f}{'  NOT AS PROMISED' if too_many else ''}"
    )
    return too_many or any(counts.values())


if __name__ == "__main__":
    typer.run(main)
