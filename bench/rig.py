"""Simulator, gateways, floors, opponents and load generator together."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Self

import httpx
import orjson

from bench.bodies import request_body
from bench.dialects import DIALECTS
from bench.job import PROMPT, Flow, Job
from bench.lane import Lane
from bench.load_process import LoadGenerator
from bench.processes import Gateway, Nginx, ProcessFailed, Simulator, nginx_version
from bench.scenario import Streams

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.dialects import DialectName
    from bench.job import Finished, Seen
    from bench.participant import Participant
    from bench.scenario import Scenario

ONE = Streams(concurrency=1, streams=1, deltas=1)

OF_THE_CONNECTION = {"host", "content-length", "content-encoding", "connection", "accept-encoding"}
"""Headers of the gateway's requests that are not those of somebody else's."""


class Rig:
    """Everything that takes part; ends with the context that it is entered in, SIGTERM included.

    Attributes:
        simulator: the backend.
        auth: a login there, as auth.json.
        folder: scratch.
        absent: why an opponent does not take part, by name.
    """

    def __init__(self, opponents: Sequence[Participant] = ()) -> None:
        """Start nothing yet.

        Args:
            opponents: and floors that are programs of their own.
        """
        self.absent: dict[str, str] = {}
        self._opponents = opponents
        self._stack = ExitStack()
        self._gateways: dict[int, Gateway] = {}
        self._nginxes: dict[int, Nginx] = {}
        self._bodies: dict[int, str] = {}
        self._lanes: list[Lane] = []
        self._backend_headers: dict[str, str] = {}

    def __enter__(self) -> Self:
        # The default action would leave all processes behind.
        signal.signal(signal.SIGTERM, _leave)
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(TemporaryDirectory(prefix="codexia-bench-")))
            self.folder.chmod(0o711)  # nginx's worker gives up root and must still get in
            self.simulator = stack.enter_context(Simulator())
            self.auth = self.simulator.credentials()
            self._load = stack.enter_context(LoadGenerator())
            self._start_opponents(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def lanes(self, scenario: Scenario) -> list[Lane]:
        """Return the lanes of a scenario; what they need is started."""
        lanes = [lane for name in scenario.lanes if (lane := self.lane(name, scenario.workers))]
        opponents = [lane for lane in self._lanes if lane.kind == "opponent"]
        return lanes + [lane for lane in opponents if lane.dialect in scenario.opponents]

    def lane(self, name: str, workers: int = 1) -> Lane | None:
        """Return a lane of the gateway or of a floor, None if that is not installed."""
        match name:
            case "messages" | "chat" | "responses":
                return self._gateway_lane(name, workers)
            case "nginx":
                return self._nginx_lane(workers) if nginx_version() else None
            case "direct":
                pids = (self.simulator.pid,)
                return self._backend_lane("direct", self.simulator.url, pids, pids)
            case _:
                return next((lane for lane in self._lanes if lane.name == name), None)

    def others(self, lane: Lane) -> set[int]:
        """Return all processes but the carriers of a lane."""
        pids = {os.getpid(), self.simulator.pid, self._load.pid}
        for gateway in self._gateways.values():
            pids.update(gateway.pids())
        for nginx in self._nginxes.values():
            pids.update((nginx.pid, *nginx.worker_pids()))
        for each in self._lanes:
            pids.update(each.product)
        return pids - set(lane.carriers)

    def other_opponents(self, lane: Lane) -> set[int]:
        """Return all processes of opponents that a lane does not go through."""
        opponents = (each for each in self._lanes if each.kind == "opponent")
        return {pid for each in opponents for pid in each.product} - set(lane.product)

    def stream(
        self,
        lane: Lane,
        streams: Streams,
        *,
        beside: Streams | None = None,
        live: bool = False,
        on_ready: Callable[[], None] = lambda: None,
        on_finished: Callable[[], None] = lambda: None,
    ) -> tuple[Finished, Seen]:
        """Send streams down a lane; the callbacks are those of `LoadGenerator.run`.

        Raises:
            ProcessFailed: a stream was not as it was sent, or did not come.
        """
        job = Job(
            main=self.flow(lane, streams),
            beside=self.flow(lane, beside) if beside else None,
            live=live,
        )
        return self._load.run(job, on_ready=on_ready, on_finished=on_finished)

    def gateway(self, workers: int) -> Gateway:
        """Return the gateway with so many workers, started at first use."""
        if workers not in self._gateways:
            home = self.folder / f"home-{workers}"
            gateway = Gateway(home, self.simulator, self.auth, workers=workers)
            self._gateways[workers] = self._stack.enter_context(gateway)
        return self._gateways[workers]

    def gateway_lane(self, dialect: DialectName, gateway: Gateway) -> Lane:
        """Return the lane of one dialect through a gateway."""
        return Lane(
            name=dialect,
            kind="codexia",
            url=gateway.url + DIALECTS[dialect].path,
            dialect=dialect,
            carriers=gateway.worker_pids(),
            product=tuple(gateway.pids()),
        )

    def _gateway_lane(self, dialect: DialectName, workers: int) -> Lane:
        return self.gateway_lane(dialect, self.gateway(workers))

    def _nginx_lane(self, workers: int) -> Lane:
        if workers not in self._nginxes:
            nginx = Nginx(self.folder / f"nginx-{workers}", self.simulator.url, workers)
            self._nginxes[workers] = self._stack.enter_context(nginx)
        nginx = self._nginxes[workers]
        carriers = nginx.worker_pids()
        return self._backend_lane("nginx", nginx.url, carriers, (nginx.pid, *carriers))

    def _backend_lane(
        self, name: str, base_url: str, carriers: tuple[int, ...], product: tuple[int, ...]
    ) -> Lane:
        """Return a lane that carries the backend's own bytes."""
        self._backend_body(0)
        return Lane(
            name=name,
            kind="floor",
            url=f"{base_url}/backend-api/codex/responses",
            dialect="responses",
            headers=self._backend_headers,
            carriers=carriers,
            product=product,
        )

    def flow(self, lane: Lane, streams: Streams) -> Flow:
        """Return the requests that ask for streams down a lane."""
        own = lane.name in {"nginx", "direct"}
        body = self._backend_body(streams.request_bytes) if own else lane.body
        return Flow(
            url=lane.url,
            headers=lane.headers,
            body=body or request_body(lane.dialect, streams.request_bytes),
            dialect=lane.dialect,
            streams=streams,
            strict=lane.kind != "opponent",
        )

    def _backend_body(self, request_bytes: int) -> str:
        """Return what the gateway sends to the backend for a request of this size."""
        if request_bytes not in self._bodies:
            lane = self._gateway_lane("responses", 1)
            self.stream(lane, ONE.model_copy(update={"request_bytes": request_bytes}))
            headers, body = self.simulator.last_request()
            self._bodies[request_bytes] = body.replace(ONE.prompt, PROMPT)
            token = orjson.loads(self.auth)["access_token"]
            kept = {name: headers[name] for name in headers.keys() - OF_THE_CONNECTION}
            self._backend_headers = {**kept, "authorization": f"Bearer {token}"}
        return self._bodies[request_bytes]

    def _start_opponents(self, stack: ExitStack) -> None:
        """Start them side by side, since some take long."""

        def start(opponent: Participant) -> Sequence[Lane]:
            scratch = self.folder / f"opponent-{opponent.name}"
            scratch.mkdir()
            return stack.enter_context(opponent.start(scratch, self.simulator)).lanes

        with ThreadPoolExecutor() as pool:
            starting = {each.name: pool.submit(start, each) for each in self._opponents}
        for name, each in starting.items():
            try:
                self._lanes += each.result()
            except (ProcessFailed, httpx.HTTPError, OSError) as error:
                self.absent[name] = f"did not start: {str(error)[-300:]}"


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)
