"""`python -m codexia.simulator --bind 127.0.0.1:18999`."""

from __future__ import annotations

from typing import Annotated

import typer

from codexia.simulator.server import run
from codexia.simulator.settings import Settings


def main(
    bind: Annotated[str, typer.Option(help="HOST:PORT; port 0 takes a free one.")] = "127.0.0.1:0",
    gap_ms: Annotated[float, typer.Option(help="Pause before each delta by default.")] = 0,
    speed: Annotated[float, typer.Option(min=0.001, help="Divides every such pause.")] = 1,
) -> None:
    """Simulate the Codex backend and its login authority until SIGINT or SIGTERM."""
    host, _, port = bind.rpartition(":")
    if not host or not port.isdecimal():
        raise typer.BadParameter("give HOST:PORT", param_hint="--bind")
    run(host, int(port), Settings(gap_ms=gap_ms, speed=speed))


if __name__ == "__main__":
    typer.run(main)
