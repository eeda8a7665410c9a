"""Break a gateway under traffic for long: `python -m tests.chaos --minutes 30 --kills 1000`.

Kills, stops and lets go on its processes at random, edits its settings, logs in, refreshes, hands
over, and checks every answer and every promise meanwhile. The same seed gives the same plan. Exits
1 if an invariant was broken, with the evidence on standard error; home and log are kept.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import signal
import sys
import tempfile
from pathlib import Path

import orjson

from tests.chaos.run import Run, run, summary


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--json", type=Path, help="write the whole summary there")
    given = parser.parse_args()
    for name in list(os.environ):
        if name.startswith("CODEXIA_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    # As Ctrl-C: what was started has to end.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    seed = secrets.randbelow(2**31) if given.seed is None else given.seed
    wanted = Run(given.minutes * 60, given.kills, seed)
    directory = Path(tempfile.mkdtemp(prefix="codexia-chaos-"))
    _say(f"{wanted}; home and log in {directory}")
    ledger = asyncio.run(run(wanted, directory, _say))
    whole = summary(wanted, ledger)
    if given.json:
        given.json.write_bytes(orjson.dumps(whole, option=orjson.OPT_INDENT_2))
    _say(orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode())
    sys.exit(bool(ledger.broken))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
