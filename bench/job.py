"""What the load generator is told and what it tells, a line of JSON each."""

from __future__ import annotations

from pydantic import BaseModel

from bench.dialects import DialectName  # noqa: TC001 - pydantic reads annotations at run time
from bench.scenario import Streams  # noqa: TC001 - pydantic reads annotations at run time

PROMPT = "bench prompt"
"""Stands in `Flow.body` for the prompt of the streams."""


class Flow(BaseModel):
    """Requests to make, all alike.

    Attributes:
        body: with `PROMPT` where that of the streams goes.
        dialect: what the streams arrive in.
        strict: whether a stream that is not as it was sent ends the job; otherwise it is noted.
    """

    url: str
    headers: dict[str, str]
    body: str
    dialect: DialectName
    streams: Streams
    strict: bool = True


class Job(BaseModel):
    """Flows at the same time.

    Attributes:
        main: what is measured.
        beside: goes on until `main` has ended.
        live: judge every stream when it ends and forget it, for jobs that are too long to keep.
    """

    main: Flow
    beside: Flow | None = None
    live: bool = False


class Finished(BaseModel):
    """The last stream of `main` has ended: how long it took, and what the generator took itself."""

    wall_s: float
    cpu_s: float


class Spread(BaseModel):
    """How some durations are distributed."""

    count: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float


class Seen(BaseModel):
    """What came of `main`; durations are as the client sees them.

    Attributes:
        streams: that arrived whole.
        events: text deltas in them, as the backend sent them.
        first_byte: from the request to the first byte of the answer.
        ttft: from the request to the first delta.
        gap: from one delta to the next.
        stretched: gaps of more than twice the pause that the backend made.
        notes: what was odd, and how often.
    """

    streams: int
    events: int
    received_bytes: int
    reads: int
    first_byte: Spread | None
    ttft: Spread | None
    gap: Spread | None
    stretched: int
    notes: dict[str, int] = {}
