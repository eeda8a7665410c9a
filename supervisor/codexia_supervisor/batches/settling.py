"""Writes outcomes to the disk, those of a few milliseconds together: a commit costs one fsync."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import orjson
import zstandard

from codexia.batches import ItemResult
from codexia.dialects.openai_batches import output_line
from codexia.errors import StateUnavailable
from codexia_supervisor.batches.stores import batches_in
from codexia_supervisor.batches.verdicts import Retried, Settled, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from codexia.batches import Outcome
    from codexia_supervisor.batches.queue import Queue, Settling
    from codexia_supervisor.batches.store import PendingItem, Settlement
    from codexia_supervisor.batches.turns import Item
    from codexia_supervisor.state_file import StateFile

logger = logging.getLogger("codexia.supervisor")

GROUP_S: Final = 0.002
COMPRESSION_LEVEL: Final = 1


class Settler:
    """The one writer of outcomes.

    Attributes:
        lock: held while what is on disk and what the queue has in memory may differ.
    """

    def __init__(
        self,
        file: StateFile,
        queue: Queue,
        clock: Callable[[], float],
        settled: Callable[[], None],
    ) -> None:
        self.lock = asyncio.Lock()
        self._file = file
        self._queue = queue
        self._clock = clock
        self._settled = settled
        self._groups: list[tuple[list[Settling], asyncio.Future[None]]] = []
        self._asked = asyncio.Event()

    async def settle(self, worker: str, outcomes: Iterable[Outcome], concurrency: int) -> None:
        """Return once these outcomes, or earlier ones of the same items, are on disk.

        Raises:
            StateUnavailable: they could not be written.
        """
        taken = self._queue.take(worker, outcomes, concurrency, self._clock())
        self._settled()  # room for others, before the disk has these
        written = asyncio.get_running_loop().create_future()
        self._groups.append((taken, written))
        self._asked.set()
        await written

    async def run(self) -> None:
        """Write what comes, until cancelled."""
        while True:
            await self._asked.wait()
            await asyncio.sleep(GROUP_S)
            self._asked.clear()
            groups, self._groups = self._groups, []
            taken = [each for group, _ in groups for each in group]
            failure = await self._write(taken)
            for _, written in groups:
                if written.done():
                    continue
                if failure is None:
                    written.set_result(None)
                else:
                    written.set_exception(failure)
            self._settled()

    async def _write(self, taken: list[Settling]) -> StateUnavailable | None:
        if not taken:
            return None
        async with self.lock:
            try:
                await self._commit(taken)
            except StateUnavailable as error:
                self._queue.keep(taken, self._clock())
                return error
        return None

    async def _commit(self, taken: list[Settling]) -> None:
        now = self._clock()
        retried: list[tuple[Item, str]] = []
        waiting: dict[int, Item] = {}
        final: list[tuple[PendingItem, Outcome, bool]] = []
        async with batches_in(self._file) as store:
            pending = await store.waiting([each.outcome.item for each in taken])
            for each in taken:
                outcome, found = each.outcome, pending.get(each.outcome.item)
                if found is None:
                    continue
                match judge(outcome, found.item.attempts):
                    case Settled(succeeded):
                        final.append((found, outcome, succeeded))
                        continue
                    case Retried(attempts, after_s):
                        item = replace(found.item, attempts=attempts, not_before=now + after_s)
                        retried.append((item, outcome.cause))
                        logger.info("item retried item=%s cause=%s", item.number, outcome.cause)
                    case _:
                        item = found.item
                waiting[item.number] = item
            settled = await asyncio.to_thread(_written, final) if final else []
            if settled or retried:
                await store.settle(settled, retried)
        self._queue.settle(taken, waiting)
        self._queue.count(
            Counter(found.item.batch for found, _, succeeded in final if succeeded),
            Counter(found.item.batch for found, _, succeeded in final if not succeeded),
        )


def pack(body: bytes) -> bytes:
    """Return a body as it is kept."""
    return zstandard.ZstdCompressor(level=COMPRESSION_LEVEL).compress(body)


def _written(final: Sequence[tuple[PendingItem, Outcome, bool]]) -> list[Settlement]:
    from codexia_supervisor.batches.store import Settlement  # noqa: PLC0415

    return [
        Settlement(
            pending=found,
            succeeded=succeeded,
            status=outcome.status,
            request_id=outcome.request_id,
            body=pack(orjson.dumps(outcome.body)),
            cause=outcome.cause,
            line_bytes=_line_bytes(found, outcome, succeeded=succeeded),
            tokens=outcome.tokens,
        )
        for found, outcome, succeeded in final
    ]


def _line_bytes(found: PendingItem, outcome: Outcome, *, succeeded: bool) -> int:
    """Return how much an outcome adds to a file of results; Anthropic's batches have none."""
    if found.dialect != "openai":
        return 0
    result = ItemResult(
        custom_id=found.custom_id,
        state="succeeded" if succeeded else "errored",
        status=outcome.status,
        request_id=outcome.request_id[:128],
        body=outcome.body,
    )
    return len(orjson.dumps(output_line(result, found.batch_id))) + 1
