"""Recorded exchanges on their way to the supervisor, which keeps them; workers write no file.

Recording never delays a request: what finds no room here, or no supervisor, is dropped and
counted. Redaction is done before anything leaves, in a thread of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from codexia.errors import SupervisorUnavailable
from codexia.metrics import RECORDINGS
from codexia_workers.draft import CURRENT, Draft
from codexia_workers.rendering import Exchange, name_of, rendered

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from starlette.types import Scope

    from codexia_workers.observations import Observations
    from codexia_workers.request_record import RequestRecord
    from codexia_workers.serving import Serving
    from codexia_workers.supervisor_calls import SupervisorCalls

logger = logging.getLogger("codexia.worker")

MAX_HELD_BYTES: Final = 64 * 1024 * 1024
"""Of all exchanges that are under way or wait for the supervisor."""

MAX_WAITING: Final = 1000
KEEP_TIMEOUT_S: Final = 30.0


@dataclass(slots=True)
class _Waiting:
    name: str
    draft: Draft
    exchange: Exchange


class Recordings:
    """What one worker records."""

    def __init__(
        self,
        supervisor: SupervisorCalls,
        observed: Observations,
        serving: Callable[[], Serving],
    ) -> None:
        """Record nothing yet.

        Args:
            supervisor: who keeps them.
            observed: where they are counted.
            serving: gives what the worker serves by now.
        """
        self._supervisor = supervisor
        self._observed = observed
        self._serving = serving
        self._held_bytes = 0
        self._waiting: deque[_Waiting] = deque()
        self._news = asyncio.Event()

    @property
    def wanted(self) -> bool:
        """Whether anything is to be recorded."""
        return self._serving().snapshot.record != "off"

    @contextmanager
    def noting(self) -> Generator[Draft]:
        """Give a draft of what this task does for as long as the context lasts."""
        draft = Draft(self._take_room)
        token = CURRENT.set(draft)
        try:
            yield draft
        finally:
            CURRENT.reset(token)

    def keep(self, draft: Draft, scope: Scope, record: RequestRecord, request_id: str) -> None:
        """Let the supervisor have an exchange that is over, if it is one to be kept."""
        # Without a key's holder nobody was let in, and nobody else's recordings are to make way.
        if "key_name" not in scope["state"] or not self._is_wanted(draft, record):
            self._give_room_back(draft)
        elif draft.spoiled or len(self._waiting) >= MAX_WAITING:
            self._drop(draft)
        else:
            exchange = Exchange.of(draft, scope, record, request_id, self._serving())
            name = name_of(draft.at, request_id)
            self._waiting.append(_Waiting(name, draft, exchange))
            self._news.set()

    async def run(self) -> None:
        """Hand over what waits, for as long as the worker lives."""
        while True:
            await self._news.wait()
            while self._waiting:
                await self._hand_over(self._waiting.popleft())
            self._news.clear()

    async def _hand_over(self, waiting: _Waiting) -> None:
        path = f"/recordings/{waiting.name}"
        try:
            content = await asyncio.to_thread(rendered, waiting.exchange)
            status, _ = await self._supervisor.call("PUT", path, content, KEEP_TIMEOUT_S)
        except SupervisorUnavailable as error:
            logger.debug("recording not kept: %s", error)
            status = 503
        if status == 204:
            self._observed.tally.count(RECORDINGS, "kept")
            self._give_room_back(waiting.draft)
        else:
            self._drop(waiting.draft)

    def _is_wanted(self, draft: Draft, record: RequestRecord) -> bool:
        match self._serving().snapshot.record:
            case "all":
                return True
            case "errors":
                failed = record.code or record.outcome in {"broke off", "client gone"}
                return bool(failed) or not draft.status or draft.status >= 400
            case _:
                return False

    def _drop(self, draft: Draft) -> None:
        self._observed.tally.count(RECORDINGS, "dropped")
        self._give_room_back(draft)

    def _take_room(self, size_bytes: int) -> bool:
        if self._held_bytes + size_bytes > MAX_HELD_BYTES:
            return False
        self._held_bytes += size_bytes
        return True

    def _give_room_back(self, draft: Draft) -> None:
        self._held_bytes -= draft.size_bytes
        draft.size_bytes = 0
        self._observed.tell_again()
