"""What is counted: the families of `GET /metrics` that workers fill, and how they are told.

Labels come from bounded sets: a model that is not on offer is `other`, a key is known by its
name. Counts are since the start of a worker, so that a lost report loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict

OTHER: Final = "other"

SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
LAG_SECONDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


@dataclass(frozen=True, slots=True)
class Family:
    """One metric.

    Attributes:
        name: without the `_total` of counters.
        meaning: for its `# HELP`.
        labels: their names.
        buckets: upper bounds of a histogram's; a counter has none.
    """

    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


REQUESTS: Final = Family(
    "codexia_requests",
    "Requests that are over.",
    ("dialect", "model", "key", "status"),
)
DURATION: Final = Family(
    "codexia_request_duration_seconds",
    "From the first byte of a request's head to the last of its answer.",
    ("dialect",),
    SECONDS,
)
TTFT: Final = Family(
    "codexia_ttft_seconds",
    "From there to the first byte of a generated answer's body.",
    ("dialect",),
    SECONDS,
)
TOKENS: Final = Family(
    "codexia_tokens", "Tokens; cached ones are input too.", ("kind", "model", "key")
)
UPSTREAM_ERRORS: Final = Family(
    "codexia_upstream_errors", "Failures of calls to the backend, retried ones too.", ("kind",)
)
QUEUE_WAIT: Final = Family(
    "codexia_queue_wait_seconds",
    "How long requests waited for their turn that had one.",
    ("priority",),
    SECONDS,
)
QUEUE_TIMEOUTS: Final = Family("codexia_queue_timeouts", "Requests whose turn did not come.")
RECORDINGS: Final = Family(
    "codexia_recordings", "Exchanges recorded, or dropped for want of room.", ("outcome",)
)
LOOP_LAG: Final = Family(
    "codexia_event_loop_lag_seconds",
    "How late the event loops of workers run what is due.",
    (),
    LAG_SECONDS,
)

FAMILIES: Final = (
    REQUESTS,
    DURATION,
    TTFT,
    TOKENS,
    UPSTREAM_ERRORS,
    QUEUE_WAIT,
    QUEUE_TIMEOUTS,
    RECORDINGS,
    LOOP_LAG,
)


class Series(BaseModel):
    """One series of one family.

    Attributes:
        labels: their values.
        total: of a counter, or the sum of what a histogram saw.
        counts: by bucket, not cumulated, the last of them what is above all bounds.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    family: str
    labels: tuple[str, ...] = ()
    total: float
    counts: tuple[int, ...] = ()
