"""What is done to a gateway, when, and to which of its processes: all of it follows from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

KILLED = {"worker": 50, "supervisor": 20, "main": 12, "generation": 5, "command": 8, "intake": 5}
"""Who is killed how often, of 100. `generation` is a main process with all its workers, `command`
a `codexia refresh` or `codexia login` under way, `intake` the process that checks a batch."""

OTHERS_PER_KILL = {
    ("stop", "worker"): 0.05,
    ("stop", "supervisor"): 0.05,
    ("stop", "main"): 0.02,
    ("terminate", "worker"): 0.04,
    ("terminate", "main"): 0.02,
    ("terminate", "supervisor"): 0.01,
    ("hand-over", ""): 0.04,
}
USES_PER_MINUTE = {
    ("refresh", ""): 8,
    ("log-in", "device"): 1,
    ("log-in", "from-codex"): 0.5,
    ("edit", ""): 8,
    ("batch", "messages"): 2,
    ("batch", "openai"): 2,
}
LONGEST_STOP_S = 3.0
QUIET_START_S = 1.0


@dataclass(frozen=True, order=True)
class Deed:
    """One thing that is done.

    Attributes:
        at_s: since the start.
        kind: `kill`, `stop` (and let go on later), `terminate`, or what a user does.
        target: whom.
        chance: from 0 to 1: which of several, or how long.
    """

    at_s: float
    kind: str
    target: str
    chance: float


def plan(seed: int, seconds: float, kills: int) -> list[Deed]:
    """Return the deeds in order, the first of them once there was some traffic."""
    chance = random.Random(seed)
    wanted = [("kill", role) for role in chance.choices([*KILLED], [*KILLED.values()], k=kills)]
    for what, per_kill in OTHERS_PER_KILL.items():
        wanted += [what] * max(1, round(per_kill * kills))
    for what, per_minute in USES_PER_MINUTE.items():
        wanted += [what] * max(1, round(per_minute * seconds / 60))
    return sorted(
        Deed(chance.uniform(QUIET_START_S, seconds), kind, target, chance.random())
        for kind, target in wanted
    )
