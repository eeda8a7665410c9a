"""Fuzz one parser for long: `python -m tests.fuzz --inputs 1000000 TARGET`.

Without a target it says which there are. An input that fails is saved and named; the same seed
gives the same inputs again. With atheris installed, `--guided` lets coverage lead instead.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fuzz.mutations import mutated
from tests.fuzz.targets import SEEDS, TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable

HANG_S = 5.0


class Hang(Exception):
    """One input took longer than any may."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guided", action="store_true", help="by coverage, with atheris")
    given = parser.parse_args()
    if given.guided:
        run_guided(given.target, given.inputs)
    else:
        sys.stdout.write(run(given.target, given.inputs, given.seed) + "\n")


def run(name: str, inputs: int, seed: int) -> str:
    """Return what was seen; leave with an error and the input where one failed."""
    chance, target = random.Random(seed), TARGETS[name]
    slowest_s, started = 0.0, time.monotonic()
    signal.signal(signal.SIGALRM, _hang)
    for number in range(inputs):
        data = mutated(chance, SEEDS[name])
        before = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, HANG_S)
        try:
            target(data)
        except Exception:
            saved = Path(f"fuzz-{name}-{seed}-{number}.bin")
            saved.write_bytes(data)
            sys.stderr.write(f"{name}: input {number} of seed {seed} failed: {saved}\n")
            raise
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        slowest_s = max(slowest_s, time.monotonic() - before)
    took_s = time.monotonic() - started
    return (
        f"{name}: {inputs} inputs in {took_s:.0f} s, no finding, slowest {slowest_s * 1000:.1f} ms"
    )


def run_guided(name: str, inputs: int) -> None:
    try:
        import atheris  # type: ignore[import-not-found]  # noqa: PLC0415
    except ImportError:
        sys.exit("atheris is not installed; run without --guided, or `pip install atheris`")
    target: Callable[[bytes], Any] = atheris.instrument_func(TARGETS[name])
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], f"-runs={inputs}", f"-timeout={HANG_S:.0f}"], target)
    atheris.Fuzz()


def _hang(*_: object) -> None:
    raise Hang


if __name__ == "__main__":
    main()
