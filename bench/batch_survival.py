"""Whether a long batch comes through, with a process killed every few seconds.

`python -m bench.batch_survival`. Two workers; every few seconds one of them or the supervisor is
killed, at random. Each request must have one result in the end, and the backend may have been
asked again only for those that ran at a kill.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from bench.circumstances import Circumstances
from tests.e2e.survival import survive


def main(
    items: Annotated[int, typer.Option(help="Requests in the batch.")] = 10_000,
    every_s: Annotated[float, typer.Option(help="Pause between two kills.")] = 4.0,
    concurrency: Annotated[int, typer.Option(help="Requests that run at once.")] = 64,
    *,
    quick: Annotated[bool, typer.Option(help="Only see that everything runs.")] = False,
) -> None:
    """Run a batch under fire; fail if a result is missing or was made once too often."""
    print(Circumstances.now().lines())
    with TemporaryDirectory() as home:
        survival = survive(Path(home) / "codexia", 200 if quick else items, 0, every_s, concurrency)
    print(
        f"{survival.items} requests in {survival.seconds:.0f} s, "
        f"{survival.kills['worker']} workers and {survival.kills['supervisor']} supervisors "
        f"killed; executed again: {survival.again}, in flight at the kills: at most "
        f"{survival.in_flight}"
    )
    survival.check()


if __name__ == "__main__":
    typer.run(main)
