"""One worker process: what it holds in memory for all its requests."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import orjson
from pydantic import ValidationError

from codexia.control import PROTOCOL, RefreshRequest, Snapshot, TokenCount, Versioned
from codexia.errors import LoginRequired, RateLimited, SupervisorUnavailable
from codexia.log_format import adjust_logging
from codexia_workers.accepting import Accepting
from codexia_workers.admission import Admission
from codexia_workers.breathing import Breathing
from codexia_workers.observations import Observations
from codexia_workers.pool import Pool
from codexia_workers.recordings import Recordings
from codexia_workers.serving import Serving
from codexia_workers.stored_responses import StoredResponses
from codexia_workers.supervisor_calls import SupervisorCalls
from codexia_workers.wrong_keys import WrongKeys

if TYPE_CHECKING:
    from pydantic import BaseModel

    from codexia.control import GenerationSpec, Login, TokenCountRequest
    from codexia_workers.upstream_websocket import Sockets

logger = logging.getLogger("codexia.worker")

RECONNECT_S: Final = 0.5
REFRESH_TIMEOUT_S: Final = 30.0
COUNT_TIMEOUT_S: Final = 60.0
"""60 MB of text, far more than any window holds, take the tokenizer 6 s."""

MAX_SNAPSHOT_BYTES: Final = 8 * 1024 * 1024


class Worker:
    """The last snapshot, the way to the supervisor and the connections to the backend.

    Attributes:
        serving: replaced whole when a snapshot arrives; requests read it without a lock.
        supervisor: what is asked of it, and told to it.
        pool: connections to the backend.
        responses: what clients may ask for again.
        observed: what the supervisor is told.
        accepting: whether new connections are taken.
        admission: how many streams run, and who waits.
        breathing: whether there is time for more.
        wrong_keys: the pace at which they are refused.
        recordings: exchanges that the operator wants to look at.
    """

    def __init__(self, spec: GenerationSpec) -> None:
        self.generation = spec.generation
        self.serving = Serving.of(spec.snapshot)
        self.supervisor = SupervisorCalls(spec.control_socket)
        self.responses = StoredResponses(self.supervisor)
        self.observed = Observations(self.supervisor, lambda: self.admission.waiting)
        self.accepting = Accepting(spec)
        self.breathing = Breathing(self.observed.lagged)
        self.admission = Admission(self.supervisor, self.observed, spec)
        self.wrong_keys = WrongKeys()
        self.recordings = Recordings(self.supervisor, self.observed, lambda: self.serving)
        self.pool = Pool()
        self._sockets: Sockets | None = None
        self._refresh_lock = asyncio.Lock()
        self._foreign = False

    @property
    def draining(self) -> bool:
        """Whether a newer generation takes the new connections."""
        return self.serving.snapshot.drain_before > self.generation

    @property
    def sockets(self) -> Sockets:
        """The WebSockets to the backend."""
        if self._sockets is None:
            # Few ask for them, and what they are made of takes 9 MB and a tenth of a second.
            from codexia_workers.upstream_websocket import Sockets  # noqa: PLC0415

            self._sockets = Sockets(self.observed)
        return self._sockets

    async def __aenter__(self) -> Worker:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.pool.close()
        if self._sockets is not None:
            await self._sockets.close()

    async def watch(self) -> None:
        """Keep `serving` at the supervisor's newest snapshot, for as long as the worker lives.

        A worker that loses the supervisor serves on with what it has and tries again.
        """
        while True:
            try:
                await self._watch_once()
            except (OSError, ValidationError, ValueError) as error:
                logger.debug("snapshot watch ended: %s", error)
            await asyncio.sleep(RECONNECT_S)

    async def _watch_once(self) -> None:
        line = b""
        path = f"/watch?generation={self.generation}&worker={self.observed.name}"
        self.observed.tell_again()
        self.admission.tell_again()
        async with aclosing(self.supervisor.follow(path)) as chunks:
            async for chunk in chunks:
                *lines, line = (line + chunk).split(b"\n")
                if len(line) > MAX_SNAPSHOT_BYTES:
                    raise ValueError("a snapshot is over the size limit")
                for complete in lines:
                    self._adopt(complete)

    def _adopt(self, line: bytes) -> None:
        protocol = Versioned.model_validate_json(line).protocol
        if protocol != PROTOCOL:
            if not self._foreign:
                logger.warning(
                    "supervisor is of another version: it speaks protocol %s, not %s; serving on "
                    "by the last settings until newer workers take over",
                    protocol,
                    PROTOCOL,
                )
            self._foreign = True
            return
        snapshot = Snapshot.model_validate_json(line)
        if snapshot.revision <= self.serving.snapshot.revision:
            return
        self.accepting.follow(snapshot)
        self.serving = Serving.of(snapshot)
        self.admission.follow(snapshot)
        adjust_logging(snapshot.log_level, snapshot.log_format)
        logger.debug("snapshot adopted revision=%s", snapshot.revision)

    async def refresh_login(self, rejected_revision: int | None) -> None:
        """Get a login that is newer than one which the backend refused.

        However many requests ask, the supervisor is asked once per worker.

        Raises:
            LoginRequired: there is no newer login to be had.
            SupervisorUnavailable: the supervisor does not answer.
        """
        async with self._refresh_lock:
            if self.serving.login_revision != rejected_revision:
                return
            request = RefreshRequest(rejected_revision=rejected_revision)
            self._adopt(await self._call("/refresh", request, REFRESH_TIMEOUT_S))

    async def renew_login(self) -> Login:
        """Return a login that was refreshed because a client asked for it.

        Raises:
            LoginRequired: there is none to refresh.
            RateLimited: there were many refreshes just now.
            SupervisorUnavailable: the supervisor does not answer, or got no answer itself.
        """
        request = RefreshRequest(by_client=True)
        self._adopt(await self._call("/refresh", request, REFRESH_TIMEOUT_S))
        login = self.serving.snapshot.login
        if login is None:
            raise LoginRequired(self.serving.snapshot.login_hint)
        return login

    async def count_tokens(self, request: TokenCountRequest) -> int:
        """Return the tokens of what a request holds.

        Raises:
            SupervisorUnavailable: the supervisor does not answer, or cannot count.
        """
        content = await self._call("/count_tokens", request, COUNT_TIMEOUT_S)
        return TokenCount.model_validate_json(content).tokens

    async def _call(self, path: str, message: BaseModel, timeout_s: float) -> bytes:
        content = message.model_dump_json().encode()
        status, answer = await self.supervisor.call(
            "POST", path, content, timeout_s, repeatable=True
        )
        if status != 200:
            refusal = orjson.loads(answer)
            reason = refusal["error"]["message"]
            if status == 429:
                raise RateLimited(reason, retry_after_s=refusal.get("retry_after_s"))
            # Only a 401 is for a person to mend; the rest passes by itself.
            raise (LoginRequired if status == 401 else SupervisorUnavailable)(reason)
        return answer
