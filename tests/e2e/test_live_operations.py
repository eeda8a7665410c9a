"""A daemon under traffic is edited, restarted and killed; `bench.live_operations` does it for long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.operations import EDITS, FLEET, Operator, free_ports
from tests.e2e.processes import log_in
from tests.e2e.service import Service
from tests.e2e.traffic import going_on

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.processes import Simulator

STREAMS = 60


async def test_no_request_notices_what_the_operator_does(simulator: Simulator, tmp_path: Path):
    home = tmp_path / "codexia"
    log_in(home, simulator)
    port, other_port = free_ports(2)
    settings = {"bind_port": port, "workers": 1, "api_keys": [FLEET]}
    with Service(home, simulator, **settings) as service:
        async with going_on(
            f"http://127.0.0.1:{port}",
            lambda traffic: traffic.streams(STREAMS, deltas=60, gap_ms=100),
            lambda traffic: traffic.sdks(per_s=25),
            lambda traffic: traffic.plain(per_s=25),
        ) as traffic:
            operator = Operator(service, traffic)
            for changes in EDITS[:8]:
                await operator.edit(**changes)
            await operator.break_and_mend()
            await operator.set_workers(2)
            await operator.kill()
            await operator.restart()
            await operator.set_port(other_port)
        await operator.settled()
        assert (service.starts, service.exits) == (3, [-9, 0])
        assert service.told("READY=1") == 3 + 1
        assert service.told("WATCHDOG=1") > 0
    assert traffic.failures == {}
    assert traffic.done["streams"] >= STREAMS
    assert operator.back_after_s
    assert service.exits == [-9, 0, 0]
    assert simulator.stats["violations"] == []
