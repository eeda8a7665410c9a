"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes:
        name: of the check.
        state: `broken` keeps the gateway from serving, or endangers the login.
        found: what is the case.
        advice: what to do, "" where nothing needs doing.
    """

    name: str
    state: State
    found: str
    advice: str = ""


def worst_of(name: str, findings: list[Finding], found: str) -> list[Finding]:
    """Return the findings, or one that all is well."""
    return findings or [Finding(name, "ok", found)]
