"""Fuzz one parser for long: `python -m tests.fuzz --inputs 1000000 TARGET`.

Without a target it says which there are. An input that fails is saved and named; the same seed
gives the same inputs again. With atheris installed, `--guided` lets coverage lead instead.
"""

from __future__ import annotations

import argparse
import importlib
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fuzz.mutations import LONGEST_BYTES, mutated

if TYPE_CHECKING:
    from collections.abc import Callable

HANG_S = 5.0
INSTRUMENTED = ["codexia", "codexia_supervisor", "codexia_workers"]


class Hang(Exception):
    """One input took longer than any may."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="?", default="")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guided", action="store_true", help="by coverage, with atheris")
    given = parser.parse_args()
    atheris = _atheris() if given.guided else None
    targets = _targets(atheris)
    if given.target not in targets.TARGETS:
        parser.error(f"TARGET is one of {', '.join(targets.TARGETS)}")
    target, seeds = targets.TARGETS[given.target], targets.SEEDS[given.target]
    if atheris:
        run_guided(atheris, target, seeds, given.inputs)
    else:
        sys.stdout.write(run(given.target, target, seeds, given.inputs, given.seed) + "\n")


def run(
    name: str, target: Callable[[bytes], None], seeds: list[bytes], inputs: int, seed: int
) -> str:
    """Return what was seen; leave with an error and the input where one failed."""
    chance = random.Random(seed)
    slowest_s, started = 0.0, time.monotonic()
    signal.signal(signal.SIGALRM, _hang)
    for number in range(inputs):
        data = mutated(chance, seeds)
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


def run_guided(
    atheris: Any, target: Callable[[bytes], None], seeds: list[bytes], inputs: int
) -> None:
    """Begin from the seeds and follow the coverage; an input that fails is saved as `crash-...`."""
    with tempfile.TemporaryDirectory(prefix="codexia-fuzz-") as corpus:
        for number, seed in enumerate(seeds):
            Path(corpus, f"seed-{number}").write_bytes(seed)
        limits = [f"-runs={inputs}", f"-timeout={HANG_S:.0f}", f"-max_len={LONGEST_BYTES}"]
        atheris.Setup([sys.argv[0], *limits, corpus], target)
        atheris.Fuzz()


def _atheris() -> Any:
    try:
        return importlib.import_module("atheris")
    except ImportError:
        sys.exit("atheris is not installed; run without --guided, or `pip install atheris`")


def _targets(atheris: Any) -> Any:
    """Return the module of the targets, what they call instrumented if atheris is to lead."""
    if atheris is None:
        return importlib.import_module("tests.fuzz.targets")
    with atheris.instrument_imports(include=INSTRUMENTED):
        return importlib.import_module("tests.fuzz.targets")


def _hang(*_: object) -> None:
    raise Hang


if __name__ == "__main__":
    main()
