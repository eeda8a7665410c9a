"""What a worker sees of the account and does for its clients, told to the supervisor.

Requests only leave notes here. `run` tells them, once a second at most and when there is news.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from codexia.account import Observed, PlanRefusal, ServedModel
from codexia.codex.upstream import SERVED_MODEL_HEADER, is_replacement, limit_headers
from codexia.errors import PLAN_LIMIT_CODE, Overloaded, RateLimited, SupervisorUnavailable
from codexia.metrics import LOOP_LAG, QUEUE_TIMEOUTS, QUEUE_WAIT, UPSTREAM_ERRORS
from codexia_workers.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from codexia.dialects.dialect import Translation
    from codexia.errors import CodexiaError
    from codexia_workers.reply import UpstreamReply
    from codexia_workers.supervisor_calls import SupervisorCalls

logger = logging.getLogger("codexia.worker")

REPORT_GAP_S: Final = 1.0
REPORT_TIMEOUT_S: Final = 5.0
LAST_REPORT_TIMEOUT_S: Final = 1.0
MAX_PAIRS: Final = 100
"""Replaced models that are counted; clients choose the names."""


class Observations:
    """The notes of one worker.

    Attributes:
        name: random; under it the reports are known.
        tally: what is counted for the metrics.
    """

    def __init__(self, supervisor: SupervisorCalls, waiting: Callable[[], int]) -> None:
        """Note nothing yet.

        Args:
            supervisor: who is told.
            waiting: how many requests wait for their turn.
        """
        self.name = secrets.token_hex(8)
        self.tally = Tally()
        self._supervisor = supervisor
        self._waiting = waiting
        self._since = time.time()
        self._news = asyncio.Event()
        self._requests: Counter[str] = Counter()
        self._streams_open = 0
        self._input_tokens = 0
        self._cached_tokens = 0
        self._output_tokens = 0
        self._served: dict[tuple[str, str], tuple[int, float]] = {}
        self._refusals: dict[str, PlanRefusal] = {}
        self._reply: UpstreamReply | None = None
        self._headers: dict[str, str] = {}
        self._event: dict[str, Any] = {}
        self._seen_at = 0.0
        self._overloaded_at = 0.0

    def requested(self, kind: str) -> None:
        """Count a request of a dialect, or of another kind of call."""
        self._requests[kind] += 1
        self._news.set()

    @contextmanager
    def streaming(self) -> Generator[None]:
        """Count an answer of the backend as under way."""
        self._streams_open += 1
        self._news.set()
        try:
            yield
        finally:
            self._streams_open -= 1
            self._news.set()

    def waited(self, wait_s: float, *, batch: bool) -> None:
        """Count the wait of a request whose turn came."""
        self.tally.observe(QUEUE_WAIT, wait_s, "batch" if batch else "live")

    def waited_in_vain(self) -> None:
        """Count a request whose turn did not come."""
        self.tally.count(QUEUE_TIMEOUTS)
        self._news.set()

    def lagged(self, lag_s: float) -> None:
        """Note how late the event loop was; that alone is no news."""
        self.tally.observe(LOOP_LAG, lag_s)

    def upstream_failed(self, error: CodexiaError) -> None:
        """Count a failure of the backend."""
        self.tally.count(UPSTREAM_ERRORS, _kind_of(error))
        self._news.set()

    def replied(self, reply: UpstreamReply) -> None:
        """Keep the backend's last reply; what it says of limits is read when it is told."""
        self._reply, self._seen_at = reply, time.time()

    def answered(self, translation: Translation, upstream: UpstreamReply | None) -> None:
        """Count the tokens of an answer, and notice a model that is not the one asked for."""
        if upstream is None:
            return
        usage = translation.reply.usage
        self._input_tokens += usage.input_tokens
        self._cached_tokens += usage.cached_tokens
        self._output_tokens += usage.output_tokens
        served = upstream.headers.get(SERVED_MODEL_HEADER) or translation.reply.served_model
        if is_replacement(translation.model, served):
            pair = translation.model, served
            count, _ = self._served.get(pair, (0, 0.0))
            if count or len(self._served) < MAX_PAIRS:
                self._served[pair] = count + 1, time.time()
        self._news.set()

    def failed(self, model: str, error: CodexiaError | None, begun_at: float) -> None:
        """Note what the end of a request to the backend means for those after it.

        Args:
            model: that it was for.
            error: what it ended with, None where it ended well.
            begun_at: when it began, unix seconds.
        """
        if isinstance(error, RateLimited) and error.code == PLAN_LIMIT_CODE:
            self._refused(model, error.timed(time.time()))
        elif isinstance(error, RateLimited | Overloaded):
            self._overloaded_at = max(self._overloaded_at, begun_at)
            self._news.set()

    def tell_again(self) -> None:
        """Tell everything to a supervisor that may be a new one."""
        self._news.set()

    async def run(self) -> None:
        """Tell what is new, for as long as the worker lives."""
        while True:
            await self._news.wait()
            await self.tell(REPORT_TIMEOUT_S)
            await asyncio.sleep(REPORT_GAP_S)

    async def tell(self, timeout_s: float = LAST_REPORT_TIMEOUT_S) -> None:
        """Tell it now. Counts that do not get through are in the next report."""
        self._news.clear()
        refusals, self._refusals = self._refusals, {}
        self._read_reply()
        report = Observed(
            worker=self.name,
            since=self._since,
            requests=dict(self._requests),
            streams_open=self._streams_open,
            waiting=self._waiting(),
            series=self.tally.series(),
            input_tokens=self._input_tokens,
            cached_tokens=self._cached_tokens,
            output_tokens=self._output_tokens,
            served_models=tuple(
                ServedModel(asked=asked, served=served, count=count, last_at=last_at)
                for (asked, served), (count, last_at) in self._served.items()
            ),
            refusals=tuple(refusals.values()),
            headers=self._headers,
            event=self._event,
            seen_at=self._seen_at,
            overloaded_at=self._overloaded_at,
        )
        content = report.model_dump_json().encode()
        try:
            await self._supervisor.call("POST", "/observed", content, timeout_s)
        except SupervisorUnavailable as error:
            logger.debug("report failed: %s", error)
            self._refusals = {**refusals, **self._refusals}

    def _refused(self, model: str, error: RateLimited) -> None:
        self._refusals[model] = PlanRefusal(
            model=model,
            at=time.time(),
            message=error.message,
            plan=error.plan,
            resets_at=error.resets_at,
            limit_id=error.limit_id,
        )
        self._news.set()

    def _read_reply(self) -> None:
        if self._reply is None:
            return
        self._headers = limit_headers(self._reply.headers)
        self._event = self._reply.limits_event()
        self._reply = None


def _kind_of(error: CodexiaError) -> str:
    """Return the name of an error's class, as labels are written."""
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in type(error).__name__)[
        1:
    ]
