"""Stop sequences, which the backend does not have.

Text is let through up to the first stop sequence. The end of what has come so far is held
back while it may be the beginning of one. How the text was cut into deltas makes no
difference: the sequence that is complete first wins, and of several the longest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(slots=True)
class StopSequences:
    """A filter for one run of text.

    Attributes:
        sequences: what to stop at; empty ones never match.
        hit: the sequence that was met, "" while none was. No text comes after one.
    """

    sequences: Sequence[str]
    hit: str = ""
    _held: str = field(default="", init=False)

    def feed(self, text: str) -> str:
        """Return the text that can be shown now."""
        if self.hit:
            return ""
        text = self._held + text
        found = self._first_in(text)
        if found is not None:
            start, self.hit = found
            self._held = ""
            return text[:start]
        kept = len(text) - self._held_chars(text)
        self._held = text[kept:]
        return text[:kept]

    def flush(self) -> str:
        """Return what was held back, at the end of the run; a match never spans two runs."""
        held, self._held = self._held, ""
        return held

    def _first_in(self, text: str) -> tuple[int, str] | None:
        matches = [
            (start + len(sequence), start, sequence)
            for sequence in self.sequences
            if sequence and (start := text.find(sequence)) >= 0
        ]
        if not matches:
            return None
        _, start, sequence = min(matches)
        return start, sequence

    def _held_chars(self, text: str) -> int:
        """Return the length of the longest end of `text` that a sequence begins with."""
        longest = max(map(len, self.sequences), default=0) - 1
        for size in range(min(longest, len(text)), 0, -1):
            if any(
                len(sequence) > size and sequence.startswith(text[-size:])
                for sequence in self.sequences
            ):
                return size
        return 0
