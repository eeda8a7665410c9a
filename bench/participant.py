"""What the harness wants of a program that it does not know: an opponent, or a floor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from bench.lane import Lane
    from bench.processes import Simulator


class Running(Protocol):
    """A program that runs."""

    @property
    def lanes(self) -> Sequence[Lane]:
        """The ways through it."""
        ...


class Participant(Protocol):
    """A program that can be started."""

    @property
    def name(self) -> str:
        """For tables."""
        ...

    @property
    def version(self) -> str:
        """As installed."""
        ...

    def start(self, scratch: Path, simulator: Simulator) -> AbstractContextManager[Running]:
        """Return it, started and answering; it ends with the context.

        Called in a thread, beside others.

        Args:
            scratch: an empty folder, for its home and whatever it writes.
            simulator: its backend.

        Raises:
            ProcessFailed: it does not answer.
        """
        ...
