"""Batches and items in state.db: the statements, each small enough that nobody waits for long."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import and_, bindparam, case, delete, insert, or_, select, update

from codexia.batches import LineProblem, TokenCounts
from codexia.errors import NotFound
from codexia_supervisor.batches.states import ACTIVE, RESULTS_KEPT_S, BatchRecord
from codexia_supervisor.batches.tables import BATCH_ITEMS, BATCHES, FILES
from codexia_supervisor.batches.turns import Item

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Row

    from codexia.batches import StoredFile
    from codexia_supervisor.state import State

_B: Final = BATCHES.c
_I: Final = BATCH_ITEMS.c

BYTES: Final = ("output_bytes", "error_bytes")
TOKENS: Final = tuple(TokenCounts.model_fields)
IDS_A_QUERY: Final = 1000
ROWS_SWEPT: Final = 500

_PLAIN: Final = [
    field.name for field in fields(BatchRecord) if field.name not in ("metadata", "problems")
]
_NEW_ITEM: Final = insert(BATCH_ITEMS).values(
    {
        name: bindparam(name)
        for name in (
            *("batch", "custom_id", "start", "length"),
            *("state", "attempts", "not_before", "cause"),
        )
    }
)
"""Its parameters stand in the order of the columns, which is this one."""

_ITEM: Final = (_I.number, _I.batch, _I.start, _I.length, _I.attempts, _I.not_before)


@dataclass(frozen=True, slots=True)
class ItemRow:
    """What the results need of an item; `body` is compressed."""

    number: int
    custom_id: str
    state: str
    status: int | None
    request_id: str | None
    body: bytes | None


@dataclass(frozen=True, slots=True)
class PendingItem:
    """An item without an outcome, in an active batch."""

    item: Item
    custom_id: str
    dialect: str
    batch_id: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """An outcome as it is written; `body` is compressed, `line_bytes` its size in OpenAI's files."""

    pending: PendingItem
    succeeded: bool
    status: int
    request_id: str
    body: bytes
    cause: str
    line_bytes: int
    tokens: TokenCounts


class BatchStore:
    """Batches of all keys. Where `key` is given, those of another key are as if they were not."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def create(self, batch: Mapping[str, Any]) -> BatchRecord:
        """Keep a new batch that has no items yet, and return it."""
        values = dict.fromkeys(("total", "succeeded", "errored", *BYTES, *TOKENS), 0)
        async with self._state.transaction(durable=True) as connection:
            rows = await connection.execute(
                insert(BATCHES).values(**values, has_items=True, **batch).returning(BATCHES)
            )
            return _record(rows.one())

    async def add_items(self, batch: int, items: Sequence[tuple[str, int, int]]) -> None:
        """Add items `(custom_id, start, length)`; they count once the batch begins."""
        rows = [(batch, *item, "pending", 0, 0.0, "") for item in items]
        async with self._state.transaction() as connection:  # `begin` makes it durable
            # Straight to the driver: what is done for each row otherwise takes three times as
            # long, and there may be 100,000.
            statement = str(_NEW_ITEM.compile(dialect=connection.dialect))
            await connection.exec_driver_sql(statement, rows)

    async def begin(self, number: int, total: int, model: str | None, now: int) -> BatchRecord:
        """Let the items of a batch run, unless it was canceled while they were checked."""
        canceled = _B.cancel_initiated_at.is_not(None)
        state = case((canceled, "canceling"), else_="in_progress")
        return await self._change(number, state=state, total=total, model=model, started_at=now)

    async def fail(self, number: int, problems: Sequence[LineProblem], now: int) -> BatchRecord:
        """Let a batch be over before it began."""
        told = orjson.dumps([problem.model_dump() for problem in problems]).decode()
        return await self._change(number, state="failed", problems=told, ended_at=now)

    async def cancel(self, number: int, now: int) -> BatchRecord:
        """Let no item of a batch begin; it may have ended in the meantime."""
        runs = _B.state == "in_progress"
        return await self._change(
            number,
            state=case((runs, "canceling"), else_=_B.state),
            cancel_initiated_at=case(
                (_B.state.in_(("in_progress", "validating")), now), else_=_B.cancel_initiated_at
            ),
        )

    async def end(self, number: int, files: Sequence[StoredFile], now: int) -> BatchRecord:
        """Let a batch be over, and keep the files of its results."""
        ids = {file.id.rpartition("-")[2]: file.id for file in files}
        changed = (
            update(BATCHES)
            .where(_B.number == number)
            .values(
                state="ended",
                ended_at=now,
                output_file_id=ids.get("output"),
                error_file_id=ids.get("error"),
            )
            .returning(BATCHES)
        )
        async with self._state.transaction(durable=True) as connection:
            record = _record((await connection.execute(changed)).one())
            if files:
                rows = [
                    {**file.model_dump(), "key_name": record.key_name, "batch": number}
                    for file in files
                ]
                await connection.execute(insert(FILES), rows)
        return record

    async def _change(self, number: int, **values: Any) -> BatchRecord:
        changed = update(BATCHES).where(_B.number == number).values(**values).returning(BATCHES)
        async with self._state.transaction(durable=True) as connection:
            return _record((await connection.execute(changed)).one())

    async def find(self, batch_id: str, key: str | None) -> BatchRecord | None:
        """Return a batch that its owner knows of."""
        query = select(BATCHES).where(_B.id == batch_id, *_owned(key))
        async with self._state.transaction() as connection:
            row = (await connection.execute(query)).one_or_none()
        record = None if row is None else _record(row)
        return record if record is not None and record.visible else None

    async def get(self, number: int) -> BatchRecord:
        """Return a batch as it is now."""
        async with self._state.transaction() as connection:
            rows = await connection.execute(select(BATCHES).where(_B.number == number))
            return _record(rows.one())

    async def remove_items(self, number: int) -> bool:
        """Remove some items of a batch; return whether there may be more."""
        some = select(_I.number).where(_I.batch == number).limit(ROWS_SWEPT)
        async with self._state.transaction() as connection:
            gone = await connection.execute(delete(BATCH_ITEMS).where(_I.number.in_(some)))
        return gone.rowcount == ROWS_SWEPT

    async def in_states(self, *states: str) -> list[BatchRecord]:
        """Return the batches in these states, oldest first."""
        query = select(BATCHES).where(_B.state.in_(states)).order_by(_B.number)
        async with self._state.transaction() as connection:
            return [_record(row) for row in await connection.execute(query)]

    async def page(
        self, key: str | None, dialect: str | None, after: str, before: str, limit: int
    ) -> tuple[list[BatchRecord], bool]:
        """Return batches, newest first, and whether there are more in that direction.

        Args:
            key: whose.
            dialect: of which dialect only.
            after: id of a batch: those which come after it, so older ones.
            before: id of a batch: the `limit` which come right before it.
            limit: at most so many.
        """
        visible = or_(
            _B.state.in_(("failed", *ACTIVE, "ended")),
            and_(_B.state == "validating", _B.dialect != "messages"),
        )
        query = select(BATCHES).where(visible, *_owned(key))
        if dialect:
            query = query.where(_B.dialect == dialect)
        async with self._state.transaction() as connection:
            for cursor, name in ((after, "after"), (before, "before")):
                if not cursor:
                    continue
                at = await connection.scalar(select(_B.number).where(_B.id == cursor, *_owned(key)))
                if at is None:
                    raise NotFound(f"there is no batch {cursor!r}", param=name)
                query = query.where(_B.number < at if name == "after" else _B.number > at)
            backwards = bool(before) and not after
            order = _B.number if backwards else _B.number.desc()
            rows = (await connection.execute(query.order_by(order).limit(limit + 1))).all()
        records = [_record(row) for row in rows[:limit]]
        return records[::-1] if backwards else records, len(rows) > limit

    async def pending(self, batch: int, cursor: int, limit: int) -> list[Item]:
        """Return the pending items of a batch after the number `cursor`."""
        query = (
            select(*_ITEM)
            .where(_I.batch == batch, _I.number > cursor, _I.state == "pending")
            .order_by(_I.number)
            .limit(limit)
        )
        async with self._state.transaction() as connection:
            return [Item(*row) for row in await connection.execute(query)]

    async def waiting(self, numbers: Sequence[int]) -> dict[int, PendingItem]:
        """Return those of the items that have no outcome and whose batch is active."""
        query = (
            select(*_ITEM, _I.custom_id, _B.dialect, _B.id)
            .join(BATCHES, _B.number == _I.batch)
            .where(_I.state == "pending", _B.state.in_(ACTIVE))
        )
        found: dict[int, PendingItem] = {}
        async with self._state.transaction() as connection:
            for start in range(0, len(numbers), IDS_A_QUERY):
                wanted = _I.number.in_(numbers[start : start + IDS_A_QUERY])
                for row in await connection.execute(query.where(wanted)):
                    found[row[0]] = PendingItem(Item(*row[:6]), *row[6:])
        return found

    async def settle(
        self, settled: Sequence[Settlement], retried: Sequence[tuple[Item, str]]
    ) -> None:
        """Write outcomes, and failures (with their cause) of items that are tried again.

        The caller sees to it that nobody else settles the same items meanwhile.
        """
        async with self._state.transaction(durable=True) as connection:
            if settled:
                await connection.execute(_SETTLE, [_settled_values(each) for each in settled])
            if retried:
                await connection.execute(
                    _RETRY,
                    [
                        {
                            "_number": item.number,
                            "attempts": item.attempts,
                            "not_before": item.not_before,
                            "cause": cause[:64],
                        }
                        for item, cause in retried
                    ],
                )
            for batch in {each.pending.item.batch for each in settled}:
                of_batch = [each for each in settled if each.pending.item.batch == batch]
                await connection.execute(_counted(batch, of_batch))

    async def results(self, batch: int, cursor: int, limit: int, state: str = "") -> list[ItemRow]:
        """Return items of a batch after the number `cursor`, maybe only those in one state."""
        query = (
            select(_I.number, _I.custom_id, _I.state, _I.status, _I.request_id, _I.body)
            .where(_I.batch == batch, _I.number > cursor)
            .order_by(_I.number)
            .limit(limit)
        )
        if state == "succeeded":
            query = query.where(_I.state == state)
        elif state:
            query = query.where(_I.state != "succeeded")
        async with self._state.transaction() as connection:
            return [ItemRow(*row) for row in await connection.execute(query)]

    async def forget(self, number: int) -> None:
        """Let a batch be deleted, and the files of its results with it."""
        async with self._state.transaction(durable=True) as connection:
            await connection.execute(delete(FILES).where(FILES.c.batch == number))
            await connection.execute(
                update(BATCHES).where(_B.number == number).values(state="deleted")
            )

    async def archive(self, now: int) -> None:
        """Let the results of batches go that ended long enough ago."""
        old = (
            (_B.state == "ended") & (_B.ended_at <= now - RESULTS_KEPT_S) & _B.archived_at.is_(None)
        )
        async with self._state.transaction(durable=True) as connection:
            await connection.execute(
                delete(FILES).where(FILES.c.batch.in_(select(_B.number).where(old)))
            )
            await connection.execute(update(BATCHES).where(old).values(archived_at=now))

    async def sweep(self) -> bool:
        """Remove some rows that nobody needs; return whether there may be more."""
        useless = or_(_B.state.in_(("deleted", "failed")), _B.archived_at.is_not(None))
        oldest = select(_B.number, _B.state).where(
            useless, or_(_B.has_items, _B.state == "deleted")
        )
        async with self._state.transaction() as connection:
            row = (await connection.execute(oldest.order_by(_B.number).limit(1))).one_or_none()
            if row is None:
                return False
            number, state = row
            some = select(_I.number).where(_I.batch == number).limit(ROWS_SWEPT)
            gone = await connection.execute(delete(BATCH_ITEMS).where(_I.number.in_(some)))
            if gone.rowcount == ROWS_SWEPT:
                return True
            if state == "deleted":
                await connection.execute(delete(BATCHES).where(_B.number == number))
            else:
                query = update(BATCHES).where(_B.number == number).values(has_items=False)
                await connection.execute(query)
        return True


_SETTLE: Final = (
    update(BATCH_ITEMS)
    .where(_I.number == bindparam("_number"), _I.state == "pending")
    .values({name: bindparam(name) for name in ("state", "status", "request_id", "body", "cause")})
)
_RETRY: Final = (
    update(BATCH_ITEMS)
    .where(_I.number == bindparam("_number"), _I.state == "pending")
    .values({name: bindparam(name) for name in ("attempts", "not_before", "cause")})
)


def _settled_values(each: Settlement) -> dict[str, Any]:
    return {
        "_number": each.pending.item.number,
        "state": "succeeded" if each.succeeded else "errored",
        "status": each.status,
        "request_id": each.request_id[:128],
        "body": each.body,
        "cause": each.cause[:64],
    }


def _counted(batch: int, settled: Sequence[Settlement]) -> Any:
    good = [each.line_bytes for each in settled if each.succeeded]
    bad = [each.line_bytes for each in settled if not each.succeeded]
    return (
        update(BATCHES)
        .where(_B.number == batch)
        .values(
            succeeded=_B.succeeded + len(good),
            errored=_B.errored + len(bad),
            output_bytes=_B.output_bytes + sum(good),
            error_bytes=_B.error_bytes + sum(bad),
            **{
                name: _B[name] + sum(getattr(each.tokens, name) for each in settled)
                for name in TOKENS
            },
        )
    )


def _owned(key: str | None) -> list[ColumnElement[bool]]:
    return [] if key is None else [_B.key_name == key]


def _record(row: Row[Any]) -> BatchRecord:
    plain = {name: getattr(row, name) for name in _PLAIN}
    problems = orjson.loads(row.problems) if row.problems else ()
    return BatchRecord(
        **plain,
        metadata=orjson.loads(row.batch_metadata) if row.batch_metadata else None,
        problems=tuple(LineProblem.model_validate(problem) for problem in problems),
    )
