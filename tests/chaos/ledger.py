"""What happened, and which invariants were broken, with the evidence."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

MOST_KEPT = 200


@dataclass(frozen=True)
class Struck:
    """A process that got a signal."""

    at: float
    signal: str
    role: str
    pid: int


@dataclass
class Ledger:
    """Counts, signals and broken invariants of one run.

    Attributes:
        counts: by what it was.
        most: the highest value that was seen, by what it is of.
        broken: what must not be, each with its time and evidence.
        struck: every signal that was sent.
    """

    counts: Counter[str] = field(default_factory=Counter)
    most: dict[str, float] = field(default_factory=dict)
    broken: list[dict[str, Any]] = field(default_factory=list)
    struck: list[Struck] = field(default_factory=list)
    started_at: float = field(default_factory=time.time)

    @property
    def kills(self) -> int:
        """Processes that were killed."""
        return sum(each.signal == "kill" for each in self.struck)

    def note(self, what: str) -> None:
        """Count something."""
        self.counts[what] += 1

    def saw(self, what: str, value: float) -> None:
        """Keep the highest value."""
        self.most[what] = max(value, self.most.get(what, value))

    def strike(self, signal: str, role: str, pid: int) -> None:
        """Write down a signal, before it is sent."""
        self.struck.append(Struck(time.time(), signal, role, pid))
        self.note(f"{signal} {role}")

    def violated(self, invariant: str, **evidence: Any) -> None:
        """Write down a broken invariant."""
        self.note(f"BROKEN {invariant}")
        entry = {"at": time.time(), "after_s": round(time.time() - self.started_at, 3)}
        entry |= {"invariant": invariant, **{k: str(v)[:2000] for k, v in evidence.items()}}
        if len(self.broken) < MOST_KEPT:
            self.broken.append(entry)
        sys.stderr.write(f"BROKEN {entry}\n")

    def struck_between(self, start: float, end: float, roles: set[str]) -> list[Struck]:
        """Return the kills and stops of some roles in a span of time."""
        return [
            each
            for each in self.struck
            if start <= each.at <= end and each.role in roles and each.signal in {"kill", "stop"}
        ]
