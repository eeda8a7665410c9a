"""The login: the only one that refreshes it while a supervisor runs.

`login` is what workers may use now, `hint` says why there is nothing. A refresh token works
once, so `run` is the only place that spends one: callers of `refresh` wait for its outcome.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from codexia.control import Login
from codexia.errors import CodexiaError, LoginRequired, RateLimited, SupervisorUnavailable
from codexia.oauth.client import AuthorityClient
from codexia.oauth.credentials import (
    NOT_REFRESHED,
    Credentials,
    CredentialsUnreadable,
    exposed,
    read_credentials,
)
from codexia.oauth.renewal import NotSaved, renew, save_renewed
from codexia.oauth.replies import AuthorityUnavailable, LoginExpired
from codexia_supervisor.refresh_schedule import RefreshSchedule

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

logger = logging.getLogger("codexia.supervisor")

NOT_LOGGED_IN: Final = "not logged in; run `codexia login`"
LOOK_EVERY_S: Final = 60.0
"""Longest wait between looks at the wall clock, which goes on while the host sleeps."""


class LoginKeeper:
    """Holds the login of one auth.json and keeps it fresh.

    Attributes:
        login: what workers use; None when there is no usable login.
        hint: why there is none, and what to do.
        problem: what threatens a login that is still usable, "" when nothing does.
        refreshes: how often it was refreshed, by how that ended.
    """

    def __init__(
        self, path: Path, issuer: str, user_agent: str, changed: Callable[[], None]
    ) -> None:
        """Hold nothing until `reload`.

        Args:
            path: of auth.json.
            issuer: of the authority that refreshes.
            user_agent: for it.
            changed: called when an attribute changed.
        """
        self.login: Login | None = None
        self.hint = NOT_LOGGED_IN
        self.problem = ""
        self.refreshes: Counter[str] = Counter()
        self._changed = changed
        self._path = path
        self._authority = AuthorityClient(issuer, user_agent)
        self._credentials: Credentials | None = None
        self._revision = 0
        self._schedule = RefreshSchedule()
        self._unsaved = False
        self._rejected = False
        self._unreadable = ""
        self._failure: CodexiaError | None = None
        self._spent: set[str] = set()
        self._dead: dict[str, LoginExpired] = {}
        self._waiting: asyncio.Future[CodexiaError | None] | None = None
        self._wake = asyncio.Event()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What of the login must not show."""
        held = self._credentials
        return (held.access_token, held.refresh_token, held.account_id) if held else ()

    def configure(self, path: Path, issuer: str, user_agent: str) -> None:
        """Hold the login at `path`, and refresh it with this authority from now on."""
        self._path = path
        if issuer != self._authority.issuer:
            self._dead.clear()  # what one authority refuses, another may take
        self._authority = AuthorityClient(issuer, user_agent)
        self.reload()

    def reload(self) -> None:
        """Take on what auth.json holds now, if that is not what we hold already."""
        try:
            stored = read_credentials(self._path)
        except CredentialsUnreadable as error:
            if error.message != self._unreadable:
                logger.error("%s", error.message)  # noqa: TRY400 - the text says it all
            self._unreadable = error.message
        else:
            self._unreadable = ""
            self._consider(stored)
        self._settle()

    async def refresh(self, rejected_revision: int | None, *, by_client: bool = False) -> None:
        """Return once there is a newer login than the rejected one.

        Any number of callers cause one refresh.

        Args:
            rejected_revision: of the login that the backend refused; None forces a refresh.
            by_client: whether it is forced by a program, which may not know when to stop.

        Raises:
            LoginRequired: a person has to log in.
            AuthorityUnavailable: the authority does not answer; later it may.
            RateLimited: there were many refreshes just now, and a client wants another.
        """
        if self._newer_than(rejected_revision):
            return
        self.reload()
        if self._newer_than(rejected_revision):
            return
        if self._credentials is None:
            raise LoginRequired(self.hint)
        if rejected_revision is not None:
            self._rejected = True
            self._check_rate()
        elif by_client and self._waiting is None:
            self._check_client_rate()
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().create_future()
            self._wake.set()
        if error := await asyncio.shield(self._waiting):
            raise error

    async def run(self, stopping: asyncio.Event) -> None:
        """Refresh when it is time or somebody asks, until `stopping` is set and noticed.

        A refresh under way is brought to its end first: a token that was sent is spent.
        """
        while not stopping.is_set():
            wait_s = min(self._due_at() - time.time(), LOOK_EVERY_S)
            if self._waiting is None and wait_s > 0:
                try:
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
                except TimeoutError:
                    self._settle()
                self._wake.clear()
                continue
            if self._unsaved:
                error = await self._save()
                if error is None:
                    continue
            else:
                error = await self._refresh_once()
            self._answer(error)
        self._answer(SupervisorUnavailable("the supervisor stops"))

    def wake(self) -> None:
        """Make `run` look at its `stopping`."""
        self._wake.set()

    def _answer(self, error: CodexiaError | None) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.set_result(error)

    def _newer_than(self, rejected_revision: int | None) -> bool:
        return (
            rejected_revision is not None
            and self.login is not None
            and self.login.revision > rejected_revision
        )

    def _check_rate(self) -> None:
        now = time.time()
        if self._schedule.exhausted(now):
            raise LoginRequired(
                "the backend refuses every token right after its refresh; "
                "if that lasts, run `codexia login`"
            )
        if self._failure is not None and now < self._schedule.retry_at:
            raise self._failure

    def _check_client_rate(self) -> None:
        now = time.time()
        if wait_s := self._schedule.exhausted_for_s(now) or max(0, self._schedule.retry_at - now):
            raise RateLimited(
                "the login was refreshed, or failed to be, just now; it stays fresh by itself",
                retry_after_s=wait_s,
            )

    def _due_at(self) -> float:
        """Return when to do something next, unix seconds."""
        held = self._credentials
        if self._unsaved:
            return self._schedule.retry_at
        if held is None or not held.refresh_token or held.refresh_token in self._dead:
            return float("inf")
        return self._schedule.due_at(held)

    async def _refresh_once(self) -> CodexiaError | None:
        """Return None when there is a fresh login now, the reason otherwise."""
        held = self._credentials
        if held is None:
            return LoginRequired(NOT_LOGGED_IN)
        error: CodexiaError | None = self._dead.get(held.refresh_token)
        if error is None:
            try:
                error = self._renewed(held, await renew(self._path, held, self._authority))
            except NotSaved as unsaved:
                logger.error("%s", unsaved.message)  # noqa: TRY400 - the text says it all
                self._renewed(held, unsaved.credentials)
                self._unsaved = True
                self._schedule.failed(time.time())
            except LoginExpired as refusal:
                logger.error("refresh refused: %s", refusal.message)  # noqa: TRY400 - as above
                self._dead[held.refresh_token] = error = refusal
                self._failure = None
            except (AuthorityUnavailable, CredentialsUnreadable) as failure:
                error = self._failed(failure)
            except OSError as failure:
                reason = failure.strerror or "cannot be written"
                error = self._failed(AuthorityUnavailable(f"{self._path}: {reason}"))
        self.refreshes["failed" if error else "succeeded"] += 1
        self._settle()
        return error

    def _renewed(self, held: Credentials, renewed: Credentials | None) -> CodexiaError | None:
        if held.refresh_token:
            self._spent.add(held.refresh_token)
        self._take(renewed)
        if renewed is None:
            return LoginRequired(NOT_LOGGED_IN)
        self._spent.discard(renewed.refresh_token)
        self._schedule.refreshed(time.time())
        logger.info("login refreshed expires_at=%s", renewed.expires_at)
        return None

    def _failed(self, error: CodexiaError) -> CodexiaError:
        self._failure = error
        self._schedule.failed(time.time())
        logger.warning("refresh failed: %s", error.message)
        return error

    def _consider(self, stored: Credentials | None) -> None:
        if stored == self._credentials or self._unsaved:
            return
        if stored is not None and stored.refresh_token in self._spent:
            # A copy from before a refresh. Sending its token would void the login we hold.
            logger.warning("older login ignored path=%s", self._path)
            return
        if stored is None:
            logger.info("logged out path=%s", self._path)
        else:
            logger.info("login adopted path=%s expires_at=%s", self._path, stored.expires_at)
            if exposed(self._path):
                logger.warning("others can read %s; run `chmod 600` on it", self._path)
        self._take(stored)

    def _take(self, credentials: Credentials | None) -> None:
        before = self._credentials.access_token if self._credentials else None
        self._credentials = credentials
        self._failure = None
        self._schedule.replaced()
        if credentials is not None and credentials.access_token != before:
            self._rejected = False
            self._revision = max(self._revision + 1, _written_at_us(self._path))
        self._wake.set()

    async def _save(self) -> CodexiaError | None:
        """Try again to save what a full disk refused; nothing is refreshed before it is."""
        held = self._credentials
        if held is not None:
            try:
                await save_renewed(self._path, held, self._spent)
            except (AuthorityUnavailable, OSError):
                self._schedule.failed(time.time())
                return NotSaved(self._path, held)
        self._unsaved = False
        self._schedule.recovered()
        self.reload()  # a person may have logged in meanwhile, and that counts more
        return None

    def _settle(self) -> None:
        """Work out what the state means for workers, and tell if that is new."""
        before = self.login, self.hint, self.problem
        self.login, self.hint, self.problem = self._outcome()
        if before != (self.login, self.hint, self.problem):
            self._changed()

    def _outcome(self) -> tuple[Login | None, str, str]:
        held = self._credentials
        if held is None:
            return None, self._unreadable or NOT_LOGGED_IN, self._unreadable
        dead = self._dead.get(held.refresh_token)
        expired = not held.access_token or 0 < held.expires_at <= time.time()
        if dead and (expired or self._rejected):
            return None, dead.message, dead.message
        if expired:
            return None, self._why_expired(held), self._failure.message if self._failure else ""
        login = Login(
            revision=self._revision,
            access_token=SecretStr(held.access_token),
            account_id=SecretStr(held.account_id),
            expires_at=held.expires_at,
        )
        trouble = dead or self._failure
        unsaved = f"the login could not be saved at {self._path}" if self._unsaved else ""
        lasting = "" if held.refresh_token else NOT_REFRESHED
        return login, "", unsaved or (trouble.message if trouble else self._unreadable or lasting)

    def _why_expired(self, held: Credentials) -> str:
        if not held.refresh_token:
            return "the access token has expired and cannot be refreshed; run `codexia login`"
        if self._failure is None:
            return "the access token has expired and is being refreshed; try again"
        return f"the access token has expired, and {self._failure.message}; it is tried again"


def _written_at_us(path: Path) -> int:
    """Return when the file was written: grows with every save, also over restarts."""
    try:
        return path.stat().st_mtime_ns // 1000
    except OSError:
        return int(time.time() * 1_000_000)
