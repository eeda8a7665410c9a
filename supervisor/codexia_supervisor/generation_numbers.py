"""What the supervisors of a home tell each other over restarts: numbers of generations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codexia.files import remove_drafts, replace_file

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


class GenerationNumbers:
    """The last number that was given, and up to which one a successor is to renew.

    An orderly end forgets both. A killed supervisor leaves the first only, so its successor
    adopts what lives and changes nothing. One that hands over leaves the second too.
    """

    def __init__(self, directory: Path) -> None:
        self._last = directory / "generation"
        self._handed_over = directory / "handed-over"

    @property
    def known(self) -> bool:
        """Whether an earlier supervisor ended without order, or this one gave a number."""
        return self._last.exists()

    def next(self, living: Collection[int]) -> int:
        """Return a number that no living generation has, not even one that nobody sees yet."""
        number = max(_read(self._last), *living, 0) + 1
        replace_file(self._last, b"%d\n" % number)
        return number

    def hand_over(self, living: Collection[int]) -> None:
        """Let the successor adopt these, and replace them by new ones."""
        replace_file(self._handed_over, b"%d\n" % max(living, default=0))

    def outdated(self, number: int) -> bool:
        """Return whether a generation of before this supervisor is to be replaced by a new one."""
        return number <= _read(self._handed_over)

    def forget(self) -> None:
        """Begin anew: nothing of this home lives any more."""
        for file in (self._last, self._handed_over):
            file.unlink(missing_ok=True)
            remove_drafts(file)


def _read(file: Path) -> int:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0
