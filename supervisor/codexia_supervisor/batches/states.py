"""What becomes of items and batches: every rule of their states, without any clock or file.

Items on disk, and what they are called to others:

| on disk | means | next |
|---|---|---|
| `pending` | waits, or is run by a worker right now: `running` is known in memory only | any |
| `pending` in an ended batch | `canceled` if the batch was, else `expired` | - |
| `succeeded`, `errored` | has its one outcome | - |

So an ending of 100,000 items at once writes one row, that of the batch.

| batch | means | next |
|---|---|---|
| `validating` | its content is checked; one of Anthropic is not there yet for anybody | the next three, `deleted` |
| `failed` | its content is wrong | `deleted` |
| `in_progress` | items run | `canceling`, `ended` |
| `canceling` | no item begins any more, running ones may finish | `ended` |
| `ended` | each item is what it will ever be | `deleted` |
| `deleted` | nobody sees it; its rows go bit by bit | - |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from codexia.batches import Batch, ItemCounts, LineProblem, TokenCounts

BatchState = Literal["validating", "failed", "in_progress", "canceling", "ended", "deleted"]
SettledState = Literal["succeeded", "errored"]
RestState = Literal["canceled", "expired"]

ACTIVE: Final = ("in_progress", "canceling")

LIFETIME_S: Final = 24 * 3600
RESULTS_KEPT_S: Final = 29 * 24 * 3600


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """A batch as it is on disk; the fields are those of `codexia.batches.Batch`.

    Attributes:
        number: orders batches by creation.
        total: items.
        has_items: whether there still are rows of items.
    """

    number: int
    id: str
    key_name: str
    dialect: Literal["messages", "openai"]
    endpoint: str
    state: BatchState
    total: int
    succeeded: int
    errored: int
    created_at: int
    expires_at: int
    started_at: int | None = None
    cancel_initiated_at: int | None = None
    ended_at: int | None = None
    archived_at: int | None = None
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    output_bytes: int = 0
    error_bytes: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    model: str | None = None
    metadata: dict[str, str] | None = None
    problems: tuple[LineProblem, ...] = ()
    has_items: bool = False

    @property
    def unsettled(self) -> int:
        """Items without an outcome."""
        return self.total - self.succeeded - self.errored

    @property
    def tokens(self) -> TokenCounts:
        """What the answers so far took."""
        return TokenCounts(**{name: getattr(self, name) for name in TokenCounts.model_fields})

    @property
    def visible(self) -> bool:
        """Whether its owner has been told of it, and not deleted it since."""
        checking = self.state == "validating" and self.dialect == "messages"
        return not checking and self.state != "deleted"

    @property
    def rest(self) -> RestState:
        """What an item is that has no outcome when the batch ends."""
        return "expired" if self.cancel_initiated_at is None else "canceled"


def begins(batch: BatchRecord, now: float) -> bool:
    """Return whether items of the batch may begin now."""
    return batch.state == "in_progress" and now < batch.expires_at


def ends(batch: BatchRecord, running: int, now: float) -> bool:
    """Return whether the batch is over, `running` of its items being at work."""
    return batch.state in ACTIVE and not running and not (batch.unsettled and begins(batch, now))


def counts(batch: BatchRecord, running: int, now: float) -> ItemCounts:
    """Return how many items are in which state, `running` of them being at work."""
    rest = batch.unsettled - running
    told = {"running": running, "succeeded": batch.succeeded, "errored": batch.errored}
    if batch.state in ("validating", "failed") or begins(batch, now):
        return ItemCounts(pending=rest, **told)
    if batch.rest == "canceled":
        return ItemCounts(canceled=rest, **told)
    return ItemCounts(expired=rest, **told)


def described(
    batch: BatchRecord, running: int, now: float, waits_until: int = 0, wait_reason: str = ""
) -> Batch:
    """Return the batch as others are told of it."""
    told = {
        name: getattr(batch, name)
        for name in Batch.model_fields
        if name not in ("counts", "results_until", "waits_until", "wait_reason")
    }
    waits = batch.state == "in_progress"
    return Batch(
        **told,
        counts=counts(batch, running, now),
        results_until=batch.ended_at and batch.ended_at + RESULTS_KEPT_S,
        waits_until=waits_until if waits else 0,
        wait_reason=wait_reason if waits else "",
    )
