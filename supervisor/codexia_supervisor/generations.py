"""The life of the worker generations: one loop that carries out what `plan` says.

Signals, exits, greetings and settings only put events into a queue. The exit status 78 of a
generation (EX_CONFIG) means that its settings are wrong: none is started until they change.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from codexia.control import GenerationSpec, GenerationStatus
from codexia_supervisor.events import Event, Gone, HandOver, Leaving, Stop, Wanted, Watched
from codexia_supervisor.generation import (
    greet_all,
    send_signal,
    socket_of,
    sockets_in,
    spawn,
)
from codexia_supervisor.generation_numbers import GenerationNumbers
from codexia_supervisor.listener import BindFailed, Listeners, who_listens
from codexia_supervisor.plan import (
    Announce,
    Kill,
    Observed,
    Plan,
    Shape,
    Start,
    Terminate,
    newest_staying,
    plan,
    plan_stop,
)
from codexia_supervisor.restart_policy import RestartPolicy

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator, Sequence

    from codexia.control import GenerationHello, Snapshot
    from codexia.paths import Home
    from codexia_supervisor.generation import Lifeline
    from codexia_supervisor.listener import Listener
    from codexia_supervisor.plan import Action

logger = logging.getLogger("codexia.supervisor")

# -P: whatever directory we are started in, what lies there is not for us to import.
COMMAND: Final = (sys.executable, "-P", "-m", "codexia_workers")
GREETING_RETRY_S: Final = 0.05
BIND_RETRY_S: Final = 5.0
UNSEEN_S: Final = 5.0
"""How long a generation may take to answer that a killed supervisor spawned last."""


class Generations:
    """Keeps one generation of the desired shape serving.

    Attributes:
        drain_before: workers of older generations close their connections.
        problem: what keeps the desired generation from serving, "" when nothing does.
    """

    def __init__(
        self,
        home: Home,
        shape: Shape,
        snapshot: Callable[[], Snapshot],
        changed: Callable[[], None],
        command: Sequence[str] = COMMAND,
    ) -> None:
        """Prepare to keep generations.

        Args:
            home: where the sockets are.
            shape: what is desired at first.
            snapshot: gives what a new generation starts with.
            changed: called when an attribute or the listener changed, or one became ready.
            command: what a generation is started with.
        """
        self.drain_before = 0
        self.problem = ""
        self._home = home
        self._desired = shape
        self._snapshot = snapshot
        self._changed = changed
        self._command = command
        self._numbers = GenerationNumbers(home.run)
        self._observed: dict[int, Observed] = {}
        self._lifelines: dict[int, Lifeline] = {}
        self._children: set[int] = set()
        self._watchers: Counter[int] = Counter()
        self._listeners = Listeners()
        self._policy = RestartPolicy()
        self._start_at = 0.0
        self._stop: Stop | None = None
        self._handed_over = False
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    @property
    def listener(self) -> Listener | None:
        """The socket of the desired address, once it is open."""
        return self._listeners.get(self._desired.address)

    @property
    def serving(self) -> bool:
        """Whether a generation of the desired shape is ready."""
        return self.serves(self._desired)

    def serves(self, shape: Shape) -> bool:
        """Return whether the newest generation is of this shape, and ready."""
        newest = newest_staying(self._living)
        return newest is not None and newest.state == "ready" and newest.shape == shape

    def want(self, shape: Shape) -> None:
        """Make the newest generation be of this shape; forgives earlier failures."""
        self._events.put_nowait(Wanted(shape))

    def stop(self, grace_s: float) -> None:
        """Let all generations finish their streams, for so long; may be called again."""
        self._events.put_nowait(Stop(time.monotonic() + grace_s))

    def hand_over(self) -> None:
        """Let go of all generations, for a successor that adopts and renews them."""
        self._events.put_nowait(HandOver())

    @contextmanager
    def watching(self, number: int | None) -> Generator[None]:
        """Count a worker of a generation as following the snapshots.

        Args:
            number: None counts for the newest generation.
        """
        if number is None:
            newest = newest_staying(self._living)
            number = 0 if newest is None else newest.number
        self._watchers[number] += 1
        self._events.put_nowait(Watched(number))
        try:
            yield
        finally:
            self._watchers[number] -= 1

    def statuses(self) -> tuple[GenerationStatus, ...]:
        """Return all living generations, oldest first."""
        epoch = time.time() - time.monotonic()
        return tuple(
            GenerationStatus(
                generation=number,
                pid=observed.pid,
                workers=observed.shape.workers,
                state=observed.state,
                started_at=epoch + observed.born_at,
            )
            for number, observed in sorted(self._observed.items())
        )

    async def prepare(self) -> None:
        """Take on the generations that another supervisor left, and open the socket.

        Raises:
            BindFailed: the address cannot be had; says what to do.
        """
        await self._find(remove_dead=True)
        deadline = time.monotonic() + UNSEEN_S
        while True:
            try:
                self._listeners.open(self._desired.address)
            except BindFailed as error:
                # A generation that was spawned at the instant of the kill holds the port
                # before it answers on its socket.
                unseen = self._numbers.known and time.monotonic() < deadline
                if not (error.taken and unseen):
                    raise await _explained(error, self._desired) from error
                await asyncio.sleep(GREETING_RETRY_S)
                await self._find()
            else:
                return

    async def run(self) -> None:
        """Keep the generations as desired, until `hand_over`, or the last is gone after `stop`."""
        while not await self._is_over():
            steps = self._plan()
            for action in steps.actions:
                await self._carry_out(action)
            if not steps.actions:
                await self._next_event(steps.wake_at)
            addresses = {each.shape.address for each in self._living if each.leaving_at is None}
            self._listeners.keep_only(set() if self._stop else addresses | {self._desired.address})
        if self._handed_over:
            self._numbers.hand_over(self._observed)
        elif not sockets_in(self._home.socket_dir):
            self._numbers.forget()

    async def _is_over(self) -> bool:
        if self._handed_over or self._stop is None or self._observed:
            return self._handed_over
        # One that did not answer while it was greeted has to end too, or died unseen.
        await self._find(remove_dead=True)
        return not self._observed

    @property
    def _living(self) -> tuple[Observed, ...]:
        return tuple(self._observed.values())

    def _plan(self) -> Plan:
        now = time.monotonic()
        if self._stop is not None:
            return plan_stop(self._living, now, kill_at=self._stop.kill_at)
        return plan(self._living, self._desired, now, start_at=self._start_at)

    async def _next_event(self, wake_at: float) -> None:
        ungreeted = self._observed.keys() - self._lifelines.keys()
        if ungreeted:
            wake_at = min(wake_at, time.monotonic() + GREETING_RETRY_S)
        event: Event | None = None
        with suppress(TimeoutError):
            timeout_s = None if wake_at == float("inf") else wake_at - time.monotonic()
            async with asyncio.timeout(timeout_s):
                event = await self._events.get()
        strange = isinstance(event, Watched) and event.number not in self._observed
        if event is not None:
            self._handle(event)
        if ungreeted or strange:
            await self._find()
        self._mark_ready()

    async def _carry_out(self, action: Action) -> None:
        match action:
            case Start():
                await self._start()
            case Announce(number):
                logger.info("generation draining generation=%s", number)
                self._observed[number].note(action, time.monotonic())
                newest = newest_staying(self._living)
                self.drain_before = newest.number if newest else number + 1
                self._changed()
            case Terminate(number):
                self._observed[number].note(action, time.monotonic())
                send_signal(self._observed[number].pid, signal.SIGTERM)
            case Kill(number):
                logger.warning("generation killed generation=%s", number)
                self._observed[number].note(action, time.monotonic())
                send_signal(self._observed[number].pid, signal.SIGKILL, whole_session=True)

    def _handle(self, event: Event) -> None:
        match event:
            case Wanted(shape):
                self._desired = shape
                self._start_at = 0.0
                self._policy = RestartPolicy()
                self.problem = ""
            case Leaving(number):
                self._on_leaving(number)
            case Gone():
                self._on_gone(event)
            case Watched():
                pass
            case Stop():
                self._stop = event
            case HandOver():
                self._handed_over = self._stop is None

    def _on_leaving(self, number: int) -> None:
        observed = self._observed.get(number)
        if observed is None or observed.leaving_at is not None:
            return
        logger.warning("generation leaves by itself generation=%s", number)
        self._fail(observed)
        observed.leaving_at = time.monotonic()

    def _on_gone(self, gone: Gone) -> None:
        number = gone.number
        if gone.status is None and number in self._children:
            return  # its exit status is on the way
        observed = self._observed.pop(number, None)
        if observed is None:
            return
        if lifeline := self._lifelines.pop(number, None):
            lifeline.close()
        self._children.discard(number)
        socket_of(self._home.socket_dir, number).unlink(missing_ok=True)
        if observed.leaving_at is not None:
            logger.info("generation ended generation=%s", number)
            return
        logger.error("generation failed generation=%s exit=%s", number, gone.reason)
        self._fail(observed)
        if gone.status == os.EX_CONFIG:
            self._start_at = float("inf")
            self.problem = "the workers refuse the configuration; see the log and correct it"
            logger.error("%s", self.problem)
        self._changed()

    def _fail(self, observed: Observed) -> None:
        now = time.monotonic()
        looped = self._policy.looping
        healthy_s = None if observed.ready_at is None else now - observed.ready_at
        self._start_at = self._policy.failed(now, healthy_s)
        if self._policy.looping and not looped:
            self.problem = (
                "the workers keep failing before they serve; the log above says why. "
                "Trying on every 30 seconds"
            )
            logger.error("%s", self.problem)

    async def _start(self) -> None:
        shape = self._desired
        try:
            listener = self._listeners.open(shape.address)
        except BindFailed as error:
            self.problem = (await _explained(error, shape)).message
            self._start_at = time.monotonic() + BIND_RETRY_S
            logger.error("%s", self.problem)  # noqa: TRY400 - the text says it all
            return
        number = self._numbers.next(self._observed)
        # First, so that the snapshot below has the address of this one already.
        self._changed()
        spec = GenerationSpec(
            generation=number,
            version=shape.version,
            workers=shape.workers,
            bind_host=shape.bind_host,
            bind_port=shape.bind_port,
            listener_fd=-1,
            control_socket=str(self._home.control_socket),
            generation_socket=str(socket_of(self._home.socket_dir, number)),
            snapshot=self._snapshot(),
        )
        try:
            pid = spawn(
                self._command,
                spec,
                listener.socket,
                lambda status: self._events.put_nowait(Gone(number, status)),
            )
        except OSError as error:
            self._start_at = self._policy.failed(time.monotonic(), None)
            self.problem = f"the workers cannot be started: {error.strerror}"
            logger.error("%s", self.problem)  # noqa: TRY400 - the text says it all
            return
        logger.info("generation started generation=%s pid=%s", number, pid)
        self._children.add(number)
        self._observed[number] = Observed(number, shape, time.monotonic(), pid)

    async def _find(self, *, remove_dead: bool = False) -> None:
        """Greet every generation of this home that was not greeted yet."""
        greeted = await greet_all(self._home.socket_dir, self._lifelines, remove_dead=remove_dead)
        for lifeline, listening in greeted:
            self._greeted(lifeline, listening)

    def _greeted(self, lifeline: Lifeline, listening: socket.socket | None) -> None:
        hello, number = lifeline.hello, lifeline.hello.generation
        if number not in self._observed:
            self._adopt(hello)
        elif hello.leaving:
            self._on_leaving(number)
        if listening is not None:
            self._listeners.take((hello.bind_host, hello.bind_port), listening)
        self._lifelines[number] = lifeline
        lifeline.follow(
            leaving=lambda: self._events.put_nowait(Leaving(number)),
            gone=lambda: self._events.put_nowait(Gone(number, None)),
        )

    def _adopt(self, hello: GenerationHello) -> None:
        number, now = hello.generation, time.monotonic()
        logger.info("generation adopted generation=%s pid=%s", number, hello.pid)
        shape = Shape(hello.version, hello.bind_host, hello.bind_port, hello.workers)
        adopted = Observed(number, shape, now, hello.pid, self._numbers.outdated(number))
        if hello.leaving:
            adopted.note(Terminate(number), now)
        self._observed[number] = adopted

    def _mark_ready(self) -> None:
        for number in self._lifelines:
            observed = self._observed[number]
            if observed.state == "starting" and self._watchers[number] >= observed.shape.workers:
                observed.ready_at = time.monotonic()
                logger.info("generation ready generation=%s", number)
                if observed.shape == self._desired:
                    self.problem = ""
                self._changed()


async def _explained(error: BindFailed, shape: Shape) -> BindFailed:
    if not error.taken:
        return error
    advice = await who_listens(*shape.address)
    return BindFailed(f"{error.message}; {advice}", taken=True)
