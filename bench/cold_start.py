"""How long a gateway takes from its start until it answers."""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING

from bench.bodies import request_body
from bench.dialects import DIALECTS
from bench.job import PROMPT
from bench.processes import Gateway, ProcessFailed, free_port

if TYPE_CHECKING:
    from pathlib import Path

    from bench.dialects import DialectName
    from bench.rig import Rig
    from bench.scenario import Scenario

DEADLINE_S = 20.0
RETRY_S = 0.002


def cold_start_values(
    home: Path, rig: Rig, dialect: DialectName, scenario: Scenario
) -> dict[str, float]:
    """Return milliseconds from the start of the process to the first answers.

    The files it reads are in the page cache, and its modules are compiled.

    Raises:
        ProcessFailed: it does not answer.
    """
    port = free_port()
    started = time.perf_counter()
    with Gateway(home, rig.simulator, rig.auth, workers=scenario.workers, port=port):
        connection = _answered(port)
        health_ms = (time.perf_counter() - started) * 1000
        _stream(connection, dialect, scenario)
        streamed_ms = (time.perf_counter() - started) * 1000
        connection.close()
    return {"health_ms": health_ms, "streamed_ms": streamed_ms}


def _answered(port: int) -> http.client.HTTPConnection:
    """Return a connection over which `/health` was answered."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
        try:
            connection.request("GET", "/health")
            reply = connection.getresponse()
            reply.read()
        except OSError:
            connection.close()
            time.sleep(RETRY_S)
            continue
        if reply.status == 200:
            return connection
        connection.close()
    raise ProcessFailed(f"no answer within {DEADLINE_S:g} s")


def _stream(
    connection: http.client.HTTPConnection, dialect: DialectName, scenario: Scenario
) -> None:
    body = request_body(dialect, 0).replace(PROMPT, scenario.prompt)
    connection.request("POST", DIALECTS[dialect].path, body, {"content-type": "application/json"})
    reply = connection.getresponse()
    content = reply.read()
    if reply.status != 200 or scenario.text.encode() not in content:
        raise ProcessFailed(f"the first answer was {reply.status} {content[:300]!r}")
