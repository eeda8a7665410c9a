"""Sends that are done at once, and those that are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator, Iterator

_NOTHING: Final = object()


def at_once(sent: Awaitable[None]) -> Awaitable[None] | None:
    """Return None where a send is done, what is left to wait for otherwise.

    A server that has room takes a message at once, and only hands back something to wait for
    where the client is slower than what is sent to it. Trying it outside of a task spares the
    task's wake-up for every event of every stream.
    """
    steps = sent.__await__()
    waits_for = next(steps, _NOTHING)
    return None if waits_for is _NOTHING else _Rest(steps, waits_for)


class _Rest:
    """A send of which the first step was taken already."""

    def __init__(self, steps: Iterator[Any], waits_for: Any) -> None:
        self._steps = steps
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        yield self._waits_for
        yield from self._steps
