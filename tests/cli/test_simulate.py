"""`codexia simulate`: the simulator alone, for a gateway of one's own."""

from __future__ import annotations

import os
import signal
import sys

import httpx

from tests.e2e.processes import Process


def test_simulator_answers_until_ctrl_c():
    process = Process(
        [sys.executable, "-m", "codexia", "simulate", "--bind", "127.0.0.1:0"], {**os.environ}
    )
    url = process.line_with("listening on").split()[-1]
    assert httpx.get(f"{url}/simulator/stats").json()["violations"] == []
    assert process.stop(signal.SIGINT, deadline_s=5) == 0
