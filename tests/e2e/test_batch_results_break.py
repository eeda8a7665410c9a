"""Results whose supervisor dies in the middle: a broken transfer, never one that looks whole."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import anthropic
import httpx
import pytest

from tests.e2e.batches import ended, messages_request
from tests.e2e.processes import log_in, running_gateway

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.processes import Simulator

ITEMS = 16
LARGE = "STREAM[[deltas=15 size=100000]]"
"""More in all than sockets and buffers between the supervisor and the client hold."""


def test_results_that_break_off_do_not_end_clean(simulator: Simulator, tmp_path: Path):
    log_in(tmp_path, simulator)
    with running_gateway(tmp_path, simulator, "--workers", "1") as gateway:
        with anthropic.Anthropic(base_url=gateway.url, api_key="local") as client:
            requests = [messages_request(f"id-{number}", LARGE) for number in range(ITEMS)]
            batch_id = client.messages.batches.create(requests=requests).id
            ended(client, batch_id)
        generation = gateway.generation_pid()
        path = f"/v1/messages/batches/{batch_id}/results"
        with httpx.Client(base_url=gateway.url, trust_env=False, timeout=20) as http:
            assert len(http.get(path).content) > ITEMS * 1_500_000
            with http.stream("GET", path) as results:
                chunks = results.iter_raw()
                assert next(chunks)
                gateway.popen.kill()
                with pytest.raises(httpx.RemoteProtocolError):
                    list(chunks)
            # The worker lives and serves on.
            assert http.get("/health").status_code == 200
        os.kill(generation, signal.SIGTERM)  # nobody else would end it soon
