"""The account: what is left of its plan, and whose it is.

Two sources tell what is left. The usage endpoint is asked when somebody wants to know, while the
plan lets nothing through, and now and then under traffic, but never twice in `GAP_S`. In between
the workers report what the replies of the backend say. A question that fails becomes a warning.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from codexia.account import LimitStatus
from codexia.account_questions import account_of_token, ask_account, ask_usage
from codexia.account_report import Known, account_status
from codexia.backend import BackendUnavailable
from codexia.codex.account import Account as AccountFacts
from codexia.codex.rate_limits import RateLimits
from codexia.local_time import local_time
from codexia_supervisor.fleet import Fleet
from codexia_supervisor.quota import Quota

if TYPE_CHECKING:
    from collections.abc import Callable

    from codexia.account import AccountStatus, Observed
    from codexia.control import Cooldown
    from codexia_supervisor.backend import Backend
    from codexia_supervisor.login_keeper import LoginKeeper

logger = logging.getLogger("codexia.supervisor")

GAP_S: Final = 60.0
"""Shortest time between two questions to the usage endpoint, whoever wants to know."""

TRAFFIC_GAP_S: Final = 300.0
"""Between two that are asked only because there is traffic."""

INTEREST_S: Final = 600.0
"""How long after the last request or question a used up plan is still asked about."""

ACCOUNT_GAP_S: Final = 3600.0
ACCOUNT_RETRY_S: Final = 300.0


class Account:
    """What is known of the account of the login in force.

    Attributes:
        fleet: what the workers did.
        overloaded_at: when the newest request began that the backend was too busy for.
    """

    def __init__(self, login: LoginKeeper, backend: Backend, changed: Callable[[], None]) -> None:
        """Know nothing yet.

        Args:
            login: whose account it is.
            backend: asked about it.
            changed: called when `cooldowns` changed.
        """
        self.fleet = Fleet(time.time())
        self.overloaded_at = 0.0
        self._login = login
        self._backend = backend
        self._changed = changed
        self._asking = asyncio.Lock()
        self._wake = asyncio.Event()
        self._wanted_at = 0.0
        self._forget("")

    def _forget(self, account_id: str) -> None:
        self._account_id = account_id
        self._quota = Quota()
        self._limits: RateLimits | None = None
        self._limits_at = 0.0
        self._by_usage = AccountFacts()
        self._facts: AccountFacts | None = None
        self._usage_asked_at = 0.0
        self._facts_due_at = 0.0
        self._requests_then = 0
        self._usage_warning = ""
        self._facts_warning = ""

    @property
    def cooldowns(self) -> tuple[Cooldown, ...]:
        """The limits that requests need not ask the backend about."""
        return self._quota.cooldowns(time.time())

    @property
    def limit(self) -> LimitStatus | None:
        """The limit of most requests, None when there is none."""
        cooldown = next(iter(self.cooldowns), None)
        if cooldown is None:
            return None
        at = cooldown.resets_at
        return LimitStatus(
            model=cooldown.model or None,
            message=cooldown.message,
            resets_at=at,
            resets_at_local=local_time(at),
            resets_in_seconds=None if at is None else max(0, int(at - time.time())),
            believed_until=cooldown.believed_until,
        )

    def limited_until(self, model: str) -> float:
        """Return until when requests of a model are refused, unix seconds; 0.0 if they are not.

        It lies a minute or so ahead at most: whether the limit still holds is found out by then.
        """
        until = self._quota.until(model, time.time())
        if until:
            self._wanted_at = time.time()
        return until

    def look(self) -> None:
        """Forget what belongs to another account than the login's."""
        login = self._login.login
        account_id = login.account_id.get_secret_value() if login else self._account_id
        if account_id != self._account_id:
            self._forget(account_id)
            self._wake.set()

    def observe(self, report: Observed) -> None:
        """Take what a worker saw."""
        self.fleet.observe(report)
        self.overloaded_at = max(self.overloaded_at, report.overloaded_at)
        self._wanted_at = time.time()
        if report.seen_at > self._limits_at:
            self._limits_at = report.seen_at
            self._update(RateLimits.of_headers(report.headers, report.seen_at))
            self._update(RateLimits.of_event(report.event, report.seen_at))
        before = self.cooldowns
        for refusal in report.refusals:
            self._quota.refused(refusal)
        if self.cooldowns != before:
            logger.warning("plan limit reached until=%s", local_time(self.cooldowns[0].resets_at))
            self._changed()
        self._wake.set()

    async def status(self) -> AccountStatus:
        """Return what is known, after asking anew about what is old."""
        self.look()
        await self._ask_if_due()
        self._wake.set()
        login = self._login.login
        known = Known(hint=self._login.hint)
        if login is not None:
            by_token = account_of_token(login.access_token.get_secret_value())
            account = (self._facts or AccountFacts()).completed(self._by_usage).completed(by_token)
            known = Known(
                self._account_id,
                login.expires_at,
                "",
                None if account == AccountFacts() else account,
                self._limits,
                [each for each in (self._facts_warning, self._usage_warning) if each],
            )
        else:
            known = Known(hint=self._login.hint, warnings=[self._login.hint])
        return account_status(known, time.time()).model_copy(
            update={
                "limit": self.limit,
                "served_models": self.fleet.served_models(),
                "fleet": self.fleet.status(),
            }
        )

    async def run(self) -> None:
        """Keep the beliefs true, until cancelled."""
        while True:
            self._wake.clear()
            wait_s = self._next_in_s()
            if wait_s > 0:
                try:
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
                except TimeoutError:
                    # A belief may have lapsed meanwhile.
                    self._changed()
                continue
            await self._ask_if_due()

    def _next_in_s(self) -> float:
        """Return in how many seconds the usage endpoint has to be asked."""
        now = time.time()
        if self._login.login is None or not self._usage_is_of_interest(now):
            lapse_at = min((each.believed_until for each in self.cooldowns), default=now + GAP_S)
            return max(0.05, lapse_at - now)
        gap_s = GAP_S if self.cooldowns else TRAFFIC_GAP_S
        return self._usage_asked_at + gap_s - now

    def _usage_is_of_interest(self, now: float) -> bool:
        if self.cooldowns:
            return now - self._wanted_at < INTEREST_S
        return self.fleet.requests > self._requests_then

    async def _ask_if_due(self) -> None:
        async with self._asking:
            if self._login.login is None:
                return
            now = time.time()
            async with asyncio.TaskGroup() as group:
                if now >= self._usage_asked_at + GAP_S:
                    group.create_task(self._ask_usage(now))
                if now >= self._facts_due_at:
                    group.create_task(self._ask_account(now))

    async def _ask_usage(self, now: float) -> None:
        account_id = self._account_id
        self._usage_asked_at, self._requests_then = now, self.fleet.requests
        try:
            limits, by_usage = await ask_usage(self._backend.get)
        except BackendUnavailable as error:
            self._usage_warning = f"rate limits unavailable: {error}"
            return
        if account_id != self._account_id:
            return
        self._usage_warning = ""
        self._limits, self._by_usage, self._limits_at = limits, by_usage, now
        before = self.cooldowns
        self._quota.told(limits, now)
        if self.cooldowns != before:
            if not self.cooldowns:
                logger.warning("plan limit is over")
            self._changed()

    async def _ask_account(self, now: float) -> None:
        account_id = self._account_id
        self._facts_due_at = now + ACCOUNT_RETRY_S
        try:
            facts, missing = await ask_account(self._backend.get, account_id)
        except BackendUnavailable as error:
            self._facts_warning = f"account status unavailable: {error}"
            return
        if account_id == self._account_id:
            self._facts, self._facts_warning = facts, missing
            self._facts_due_at = now + (ACCOUNT_RETRY_S if missing else ACCOUNT_GAP_S)

    def _update(self, newer: RateLimits) -> None:
        if newer.limits or newer.credits:
            self._limits = (self._limits or RateLimits()).updated(newer)
