"""Simulator, gateway, nginx and load generator together, and one measurement of them."""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, Self

import orjson
from pydantic import BaseModel

from bench.cpu import CpuMeter
from bench.dialects import DIALECTS
from bench.load import PROMPT, Finished, Job
from bench.processes import Gateway, LoadGenerator, Nginx, Simulator, nginx_version
from bench.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

DialectName = Literal["messages", "chat", "responses"]

SMALL = Scenario(name="small", streams=1, concurrency=1, deltas=1)


class Lane(BaseModel):
    """One way that streams can take.

    Attributes:
        name: for tables and results.
        url: where its requests go.
        dialect: what it speaks.
        carrier: the process that carries the streams.
        product: all processes of what the streams go through, the carrier included.
    """

    name: str
    url: str
    dialect: DialectName
    carrier: int
    product: tuple[int, ...]


class Sample(BaseModel):
    """One measurement, raw.

    Attributes:
        round: measurements of one round were made one right after the other.
        seen: what the load generator saw.
        cpu_s: CPU time by role: `carrier`, `product` (which includes the carrier), `simulator`.
    """

    scenario: str
    lane: str
    round: int
    events: int
    streams: int
    seen: Finished
    cpu_s: dict[str, float]

    def us_per_event(self, role: str) -> float:
        """Return microseconds of CPU that a role used for each text delta of the backend."""
        used_s = self.seen.cpu_s if role == "load" else self.cpu_s[role]
        return used_s / self.events * 1e6


class Rig:
    """Everything started; ends with the context that it is entered in, SIGTERM included.

    Attributes:
        lanes: the three dialects of the gateway, nginx where it is installed, and the way to the
            simulator without anything between. The last two carry the backend's own bytes.
    """

    def __init__(self) -> None:
        self.lanes: list[Lane] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        # The default action would leave all processes behind.
        signal.signal(signal.SIGTERM, _leave)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="codexia-bench-")))
            folder.chmod(0o711)  # nginx's worker gives up root and must still get in
            self.simulator = stack.enter_context(Simulator())
            auth = self.simulator.credentials()
            self.gateway = stack.enter_context(Gateway(folder / "home", self.simulator, auth))
            self._load = stack.enter_context(LoadGenerator())
            self._add_gateway_lanes()
            self._backend_headers, self._backend_body = self._backend_request(auth)
            if nginx_version():
                nginx = stack.enter_context(Nginx(folder / "nginx", self.simulator.url))
                self._add_backend_lane("nginx", nginx.url, nginx.worker_pid(), nginx.pid)
            self._add_backend_lane("direct", self.simulator.url, self.simulator.pid)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def lane(self, name: str) -> Lane:
        """Return the lane of this name."""
        return next(lane for lane in self.lanes if lane.name == name)

    def measure(self, lane: Lane, scenario: Scenario, round_number: int = 0) -> Sample:
        """Return one measurement; every stream of it has been verified.

        Raises:
            ProcessFailed: a stream was not as it was sent, or did not come.
        """
        roles = {
            "carrier": [lane.carrier],
            "product": lane.product,
            "simulator": [self.simulator.pid],
        }
        meter = CpuMeter(roles)
        used_s: dict[str, float] = {}
        seen = self.stream(
            lane,
            scenario,
            on_ready=meter.start,
            on_finished=lambda: used_s.update(meter.used_s()),
        )
        return Sample(
            scenario=scenario.name,
            lane=lane.name,
            round=round_number,
            events=scenario.events,
            streams=scenario.streams,
            seen=seen,
            cpu_s=used_s,
        )

    def stream(
        self,
        lane: Lane,
        scenario: Scenario,
        *,
        on_ready: Callable[[], None] = lambda: None,
        on_finished: Callable[[], None] = lambda: None,
    ) -> Finished:
        """Send a scenario down a lane; the callbacks are those of `LoadGenerator.run`."""
        job = self._job(lane, scenario)
        return self._load.run(job, on_ready=on_ready, on_finished=on_finished)

    def _job(self, lane: Lane, scenario: Scenario) -> Job:
        if lane.name in DIALECTS:
            headers = {"content-type": "application/json"}
            body = orjson.dumps(DIALECTS[lane.dialect].body(PROMPT)).decode()
        else:
            headers, body = self._backend_headers, self._backend_body
        return Job(
            url=lane.url, headers=headers, body=body, dialect=lane.dialect, scenario=scenario
        )

    def _add_gateway_lanes(self) -> None:
        for name, dialect in DIALECTS.items():
            lane = {
                "name": name,
                "url": self.gateway.url + dialect.path,
                "dialect": name,
                "carrier": self.gateway.worker_pid(),
                "product": self.gateway.pids(),
            }
            self.lanes.append(Lane.model_validate(lane))

    def _add_backend_lane(self, name: str, base_url: str, carrier: int, *others: int) -> None:
        url = f"{base_url}/backend-api/codex/responses"
        product = (carrier, *others)
        self.lanes.append(
            Lane(name=name, url=url, dialect="responses", carrier=carrier, product=product)
        )

    def _backend_request(self, auth: bytes) -> tuple[dict[str, str], str]:
        """Return headers and body that make the backend stream as it does for the gateway.

        They are those of a request which the gateway sent.
        """
        self.stream(self.lane("responses"), SMALL)
        sent_headers, sent_body = self.simulator.last_request()
        headers = {
            name: value
            for name, value in sent_headers.items()
            if name not in {"host", "content-length", "connection"}
        }
        headers["authorization"] = f"Bearer {orjson.loads(auth)['access_token']}"
        return headers, sent_body.replace(SMALL.prompt, PROMPT)


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)
