"""What happens to the worker generations, as the supervisor's loop hears of it."""

from __future__ import annotations

import signal
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

    @property
    def reason(self) -> str:
        """How it ended, for the log."""
        if self.status is None or self.status >= 0:
            return str(self.status)
        hint = " (out of memory?)" if -self.status == signal.SIGKILL else ""
        return f"{signal.Signals(-self.status).name}{hint}"


@dataclass(frozen=True, slots=True)
class Watched:
    """A worker of a generation follows the snapshots."""

    number: int


@dataclass(frozen=True, slots=True)
class Stop:
    """End all generations, by force when the time has come."""

    kill_at: float


@dataclass(frozen=True, slots=True)
class HandOver:
    """Let go of all generations; they serve on for the next supervisor."""


Event: TypeAlias = Wanted | Leaving | Gone | Watched | Stop | HandOver
