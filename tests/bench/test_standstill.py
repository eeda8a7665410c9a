"""Who is not measured does nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.standstill import standstill
from tests.e2e.processes import wait_until


def state(pid: int) -> str:
    """Return the state of a process as the kernel abbreviates it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


@pytest.mark.skipif(sys.platform != "linux", reason="the states are read from /proc")
def test_processes_stand_still_until_the_block_ends():
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            with standstill({process.pid}):
                wait_until(lambda: state(process.pid) == "T", "it is stopped")
            wait_until(lambda: state(process.pid) == "R", "it goes on")
        finally:
            process.kill()


def test_process_that_is_gone_is_no_fault():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with standstill({process.pid}):
        pass
