"""What to do next about the generations of workers: desired and observed state in, actions out.

| state | meaning |
|---|---|
| starting | spawned or found, its workers do not all follow the snapshots yet |
| ready | serves |
| draining | a newer one serves; told to close connections, then to stop |
| leaving | stops, by our order or its own decision |

The newest generation that is not leaving is the one that counts. If it is not of the desired
shape, or was handed over by an earlier supervisor, a newer one is started, and what is older
drains only after that one is ready.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

NOTICE_S: Final = 1.0
"""Time between `connection: close` and the end of accepting: idle clients notice in it."""

START_TIMEOUT_S: Final = 60.0
DRAIN_TIMEOUT_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Shape:
    """What cannot change while a generation lives."""

    version: str
    bind_host: str
    bind_port: int
    workers: int

    @property
    def address(self) -> tuple[str, int]:
        """Host and port as configured."""
        return self.bind_host, self.bind_port


@dataclass(slots=True)
class Observed:
    """One generation as far as the supervisor knows; times are monotonic seconds.

    Attributes:
        pid: of its main process, which leads a session with its workers.
        outdated: whether a new one is wanted even if it were of the same shape.
    """

    number: int
    shape: Shape
    born_at: float
    pid: int
    outdated: bool = False
    ready_at: float | None = None
    announced_at: float | None = None
    leaving_at: float | None = None
    terminated: bool = False
    killed: bool = False

    @property
    def state(self) -> Literal["starting", "ready", "draining", "leaving"]:
        """The state that the table names."""
        if self.leaving_at is not None:
            return "leaving"
        if self.announced_at is not None:
            return "draining"
        return "starting" if self.ready_at is None else "ready"

    def note(self, action: Announce | Terminate | Kill, now: float) -> None:
        """Note that an action is carried out, so that it is planned no more."""
        match action:
            case Announce():
                self.announced_at = now
            case Terminate():
                self.terminated = True
                self.leaving_at = self.leaving_at or now
            case Kill():
                self.killed = True


@dataclass(frozen=True, slots=True)
class Start:
    """Bring up the next generation."""


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell the workers of a generation to close their connections."""

    number: int


@dataclass(frozen=True, slots=True)
class Terminate:
    """Ask a generation to stop; it finishes its streams first."""

    number: int


@dataclass(frozen=True, slots=True)
class Kill:
    """End a generation with all its workers."""

    number: int


Action: TypeAlias = Start | Announce | Terminate | Kill


@dataclass(slots=True)
class Plan:
    """What to do now, and when to look again if nothing happens before.

    Once all actions are carried out and noted, the next plan has none: the loop that asks again
    before it waits would not wait otherwise.
    """

    actions: list[Action] = field(default_factory=list[Action])
    wake_at: float = float("inf")

    def at(self, due: float, now: float, action: Action) -> None:
        """Do `action` once `due` has come."""
        if now >= due:
            self.actions.append(action)
        else:
            self.wake_at = min(self.wake_at, due)


def plan(generations: Sequence[Observed], desired: Shape, now: float, *, start_at: float) -> Plan:
    """Return the next actions of a running supervisor.

    Args:
        generations: all that live.
        desired: what the newest should be.
        now: monotonic seconds.
        start_at: no start before this, because of earlier failures.
    """
    steps = Plan()
    newest = newest_staying(generations)
    if newest is None or newest.outdated or newest.shape != desired:
        steps.at(start_at, now, Start())
    elif newest.ready_at is None and not newest.killed:
        steps.at(newest.born_at + START_TIMEOUT_S, now, Kill(newest.number))
    for generation in generations:
        if generation.leaving_at is not None:
            if not generation.killed:
                due = generation.leaving_at + DRAIN_TIMEOUT_S
                steps.at(due, now, Kill(generation.number))
        elif newest is not None and newest.ready_at is not None and generation is not newest:
            if generation.announced_at is None:
                steps.actions.append(Announce(generation.number))
            else:
                due = generation.announced_at + NOTICE_S
                steps.at(due, now, Terminate(generation.number))
    return steps


def plan_stop(generations: Sequence[Observed], now: float, *, kill_at: float) -> Plan:
    """Return the next actions of a supervisor that stops."""
    steps = Plan()
    for generation in generations:
        if not generation.terminated:
            steps.actions.append(Terminate(generation.number))
        if not generation.killed:
            steps.at(kill_at, now, Kill(generation.number))
    return steps


def newest_staying(generations: Sequence[Observed]) -> Observed | None:
    """Return the generation that counts, if there is one."""
    staying = [generation for generation in generations if generation.leaving_at is None]
    return max(staying, key=lambda generation: generation.number, default=None)
