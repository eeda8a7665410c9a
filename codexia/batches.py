"""The messages about batches between workers, supervisor and command line.

A batch is a list of requests that run when there is room, in either dialect. The supervisor
keeps it in state.db and hands its items to workers; a worker runs one like a live request and
tells how it went. These calls are part of the control API of `codexia.control`; `key` is the
name of the local key whose files and batches are meant, and without it all are:

| call | answer |
|---|---|
| `POST /files?key=&name=`, content | `StoredFile` |
| `GET /files?key=&after=&limit=&order=&purpose=` | `FilePage`; 404 if there is no file `after` |
| `GET /files/{id}?key=` | `StoredFile`, or 404 |
| `GET /files/{id}/content?key=` | the content, or 404 |
| `DELETE /files/{id}?key=` | 204, or 404 |
| `POST /batches?key=`, a `{"requests": [...]}` of Anthropic | `Batch` |
| `POST /batches/from_file?key=` `BatchOfFile` | `Batch` |
| `GET /batches?key=&dialect=&after=&before=&limit=` | `BatchPage`, newest first |
| `GET /batches/{id}?key=` | `Batch`, or 404 |
| `POST /batches/{id}/cancel?key=` | `Batch`, or 404 |
| `DELETE /batches/{id}?key=` | 204, 404, or 409 while it runs |
| `GET /batches/{id}/results?key=` | newline-delimited `ItemResult`s of an ended batch, 404, or 409 while it runs |
| `POST /work` `WorkOffer` | newline-delimited `Assignment`s, as long as the connection lasts |
| `POST /settle` `Settlement` | 204 once it is on disk |

An upload that breaks off before its end leaves nothing. `after` and `before` are ids; one that is
unknown is a 404. Errors are OpenAI's envelope with the status; 400 and 413 are the client's.
The content of an output or error file is lines of `openai_batches.output_line`.

Item states: pending -> running -> succeeded or errored; from pending also canceled and expired.
`running` is known in memory only: the end of a worker's `/work` connection makes its items
pending again, unless the worker comes back and still holds them. The first outcome of an item
that is settled stands, later ones are dropped.

Batch states: validating -> in_progress -> ended, or validating -> failed; canceling is
in_progress whose pending items are canceled and whose running ones may finish.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StoredFile(_Message):
    """A file that a client uploaded, or that a batch made.

    Attributes:
        id: `file-...`; of the results of a batch, the id that the batch names.
        size_bytes: of its content.
        purpose: `batch` or `batch_output`.
        created_at: unix seconds, as all times here.
    """

    id: str
    filename: str
    purpose: str
    size_bytes: int
    created_at: int


class FilePage(_Message):
    """Some files, and whether there are more after the last."""

    files: tuple[StoredFile, ...]
    has_more: bool


class BatchOfFile(_Message):
    """A batch whose requests are the lines of an uploaded file."""

    input_file_id: str
    endpoint: Literal["/v1/chat/completions", "/v1/responses"]
    metadata: dict[str, str] | None = None


class LineProblem(_Message):
    """What is wrong with one line of an input file; lines count from 1."""

    line: int | None
    code: str
    message: str
    param: str | None = None


class ItemCounts(_Message):
    """How many items of a batch are in which state."""

    pending: int = 0
    running: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    @property
    def total(self) -> int:
        """All items."""
        return sum(self.model_dump().values())


class TokenCounts(_Message):
    """Tokens that answers took; cached ones are part of the input, reasoning of the output."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


class Batch(_Message):
    """A batch as it is now.

    Attributes:
        dialect: `messages` is Anthropic's Message Batches, `openai` the Batch API.
        endpoint: which every item calls, e.g. `/v1/messages`.
        model: that all items ask for; None if they differ, or are not checked yet.
        tokens: of the items that have succeeded.
        expires_at: when items that have not begun expire.
        results_until: when its results are dropped; it is then archived.
        problems: why it failed.
        waits_until: no item starts before this, because the plan's limit is reached or the
            backend is overloaded; 0 when nothing holds it back.
        wait_reason: for people.
    """

    id: str
    dialect: Literal["messages", "openai"]
    endpoint: str
    state: Literal["validating", "failed", "in_progress", "canceling", "ended"]
    counts: ItemCounts
    model: str | None = None
    tokens: TokenCounts = TokenCounts()
    created_at: int
    expires_at: int
    started_at: int | None = None
    cancel_initiated_at: int | None = None
    ended_at: int | None = None
    archived_at: int | None = None
    results_until: int | None = None
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    metadata: dict[str, str] | None = None
    problems: tuple[LineProblem, ...] = ()
    waits_until: int = 0
    wait_reason: str = ""


class BatchPage(_Message):
    """Some batches, and whether there are more after the last."""

    batches: tuple[Batch, ...]
    has_more: bool


class BatchActivity(_Message):
    """What goes on with batches, all in all.

    Attributes:
        active: batches that have not ended.
        running: items at workers right now.
        waits_until: no item starts before this; 0 when nothing holds them back.
        wait_reason: for people.
    """

    active: int = 0
    running: int = 0
    waits_until: int = 0
    wait_reason: str = ""


class WorkOffer(_Message):
    """A worker is ready to run items.

    Attributes:
        worker: names the worker for as long as it lives, over reconnections.
        holding: items that it runs already, or whose outcome it could not settle yet.
    """

    worker: str
    generation: int
    holding: tuple[int, ...] = ()


class Assignment(_Message):
    """An item for a worker to run.

    Attributes:
        item: number of the item.
        body: of the request, as the client wrote it; for Anthropic its `params`.
        key_name: local key that the batch belongs to.
        attempt: 1 for the first.
    """

    item: int
    batch_id: str
    endpoint: str
    key_name: str
    attempt: int
    body: dict[str, Any] = Field(repr=False)


class Outcome(_Message):
    """How an item went.

    Attributes:
        status: the HTTP status that a live request would have got.
        body: what its body would have been: the answer, or the error in the dialect's envelope.
        retryable: whether another try later may succeed; the supervisor decides.
        retry_after_s: not before this, where the backend said so.
        cause: the error's code, for logs and to tell plan limits and overload apart.
        tokens: that the answer took.
    """

    item: int
    status: int
    request_id: str
    body: dict[str, Any] = Field(repr=False)
    retryable: bool = False
    retry_after_s: float | None = None
    cause: str = ""
    tokens: TokenCounts = TokenCounts()


class Settlement(_Message):
    """Outcomes of items, from the worker that ran them."""

    worker: str
    outcomes: tuple[Outcome, ...]


class ItemResult(_Message):
    """One line of the results of a batch."""

    custom_id: str
    state: Literal["succeeded", "errored", "canceled", "expired"]
    status: int | None = None
    request_id: str | None = None
    body: dict[str, Any] | None = Field(default=None, repr=False)
