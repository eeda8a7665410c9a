"""Batches as people watch them: what is done, what failed, what they wait for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from codexia.control_client import NoSupervisor
from codexia.local_time import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codexia.batch_client import BatchClient
    from codexia.batches import Batch

POLL_S: Final = 0.5
PATIENCE_S: Final = 60.0
"""How long a supervisor may be away: batches outlast its restart, and so does watching."""

OVER: Final = frozenset({"ended", "failed"})


def watched(client: BatchClient, ids: list[str]) -> Iterator[list[Batch]]:
    """Yield these batches again and again, until all of them are over.

    Raises:
        CodexiaError: one is unknown, or no supervisor came back.
    """
    seen_at = time.monotonic()
    while True:
        try:
            batches = [client.batch(batch_id) for batch_id in ids]
        except NoSupervisor:
            if time.monotonic() - seen_at > PATIENCE_S:
                raise
        else:
            seen_at = time.monotonic()
            yield batches
            if all(batch.state in OVER for batch in batches):
                return
        time.sleep(POLL_S)


def done(batch: Batch) -> int:
    """Return how many items are through."""
    return batch.counts.total - batch.counts.pending - batch.counts.running


def state_of(batch: Batch, now: float) -> str:
    """Return the state in words, with what the batch waits for."""
    state = batch.state.replace("_", " ")
    if batch.state in OVER or batch.waits_until <= now:
        return state
    return f"{state}, waits {duration(batch.waits_until - now)}: {batch.wait_reason}"


def progress_of(batch: Batch) -> str:
    """Return e.g. `12/300 done, 1 errored`; states with nothing in them are left out."""
    counts = batch.counts
    unhappy = [
        f"{number} {name}"
        for name, number in (
            ("errored", counts.errored),
            ("canceled", counts.canceled),
            ("expired", counts.expired),
        )
        if number
    ]
    return ", ".join([f"{done(batch)}/{counts.total} done", *unhappy])
