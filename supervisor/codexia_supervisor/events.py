"""What happens to the worker generations, as the supervisor's loop hears of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from codexia_supervisor.plan import Shape


@dataclass(frozen=True, slots=True)
class Wanted:
    """The settings changed, maybe the shape."""

    shape: Shape


@dataclass(frozen=True, slots=True)
class Leaving:
    """A generation says that it stops."""

    number: int


@dataclass(frozen=True, slots=True)
class Gone:
    """A generation's main process has ended; only a child's status is known."""

    number: int
    status: int | None


@dataclass(frozen=True, slots=True)
class Watched:
    """A worker of a generation follows the snapshots."""

    number: int


@dataclass(frozen=True, slots=True)
class Stop:
    """End all generations, by force when the time has come."""

    kill_at: float


Event: TypeAlias = Wanted | Leaving | Gone | Watched | Stop
