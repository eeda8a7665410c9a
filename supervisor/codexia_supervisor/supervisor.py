"""The supervisor: its parts, and how a change in one reaches the others."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from typing import TYPE_CHECKING

from codexia import __version__
from codexia.account import GatewayStatus
from codexia.codex.upstream import CodexUpstream
from codexia.control import SupervisorStatus
from codexia.log_format import adjust_logging
from codexia_supervisor.account import Account
from codexia_supervisor.backend import Backend
from codexia_supervisor.batches.batches import Batches
from codexia_supervisor.batches.conditions import LiveConditions
from codexia_supervisor.batches.content import Contents
from codexia_supervisor.batches.dispatcher import Dispatcher
from codexia_supervisor.catalogue import Catalogue
from codexia_supervisor.control_app import create_control_app
from codexia_supervisor.control_server import ControlServer
from codexia_supervisor.ending import Ending
from codexia_supervisor.file_watch import watch_files
from codexia_supervisor.generations import COMMAND, Generations
from codexia_supervisor.listener import bracketed
from codexia_supervisor.login_keeper import LoginKeeper
from codexia_supervisor.metrics_server import MetricsServer
from codexia_supervisor.plan import Shape
from codexia_supervisor.recordings import Recordings
from codexia_supervisor.shares import Shares
from codexia_supervisor.snapshot import SnapshotFeed, build_snapshot
from codexia_supervisor.state_file import StateFile
from codexia_supervisor.stored_responses import StoredResponses
from codexia_supervisor.token_counter import TokenCounter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from codexia.account import AccountStatus
    from codexia.config import Settings
    from codexia.control import Snapshot
    from codexia.paths import Home
    from codexia_supervisor.live_config import LiveConfig

logger = logging.getLogger("codexia.supervisor")

LAST_CALLS_S = 30.0
"""How long the calls under way may take to be answered at the end."""


class Supervisor:
    """Settings, login, catalogue and generations of one home, and the feed that joins them.

    Attributes:
        ending: how it ends, and when.
        account: what its plan has left, and what the workers did with it.
        feed: what workers serve by.
        config: the settings.
        token_counter: the one tokenizer of all workers.
        responses: what clients may ask for again.
        batches: the requests that may wait.
        dispatcher: hands those to the workers.
        shares: how many streams each worker may have.
        recordings: exchanges that the operator wants to look at.
        catalogue: the account's models.
    """

    def __init__(
        self,
        home: Home,
        config: LiveConfig,
        listening: Callable[[str], None],
        restarted: Callable[[], Awaitable[bool]],
        command: Sequence[str] = COMMAND,
    ) -> None:
        """Assemble a supervisor; it does nothing until `run`.

        Args:
            home: whose lock the caller holds.
            config: the settings.
            listening: called with the URL whenever another one begins to be served.
            restarted: tells whether the service manager that stops us starts us again.
            command: what a generation of workers is started with.
        """
        settings = config.settings
        self._home = home
        self.config = config
        self._listening = listening
        self._announced = ""
        self._started_at = time.time()
        self._counters: Counter[str] = Counter()
        self._stopping = asyncio.Event()
        self._login = LoginKeeper(
            self._auth_file, settings.oauth_issuer, settings.user_agent, self._publish
        )
        backend = Backend(self._login, self._upstream)
        self.catalogue = Catalogue(self._login, self._upstream, backend, self._publish)
        self.account = Account(self._login, backend, self._publish)
        self.feed = SnapshotFeed(build_snapshot(settings, None, "", (), settings.bind_port, 0))
        self.token_counter = TokenCounter()
        self._state_file = StateFile(home.state_file)
        self.responses = StoredResponses(self._state_file, lambda: self.config.settings)
        self._generations = Generations(
            home, _shape(settings), lambda: self.feed.newest, self._publish, command
        )
        contents = Contents(home.batches)
        conditions = LiveConditions(
            *(config, self._login, self.account, self._generations),
            self.feed.newest.model_table,
        )
        self.dispatcher = Dispatcher(self._state_file, contents, conditions, time.time)
        self.batches = Batches(self._state_file, contents, self.dispatcher, time.time)
        self.shares = Shares(self._worker_count, self._publish)
        self.recordings = Recordings(
            home.recordings, lambda: self.config.settings, self._known_secrets
        )
        self._metrics_server = MetricsServer(lambda: self.config.settings, self.metrics)
        self.ending = Ending(self._generations, restarted)
        self._login.reload()

    @property
    def login_hint(self) -> str:
        """Why there is no usable login, "" when there is one."""
        return self._login.hint

    async def prepare(self) -> None:
        """Take on what another supervisor left, and open the socket.

        Raises:
            BindFailed: the address cannot be had; says what to do.
        """
        await self._generations.prepare()
        self._publish()

    async def run(self) -> None:
        """Serve until `ending` says otherwise."""
        control = ControlServer(create_control_app(self, self._counters), self._home.control_socket)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(control.run())
            logins = group.create_task(self._login.run(self._stopping))
            models = group.create_task(self.catalogue.run())
            account = group.create_task(self.account.run())
            scraping = group.create_task(self._metrics_server.run())
            storing = group.create_task(self.responses.run())
            batching = group.create_task(self.batches.run())
            working = group.create_task(self.dispatcher.run())
            files = group.create_task(watch_files(self._files, self.reload, self._stopping))
            ending = group.create_task(self.ending.run())
            await self._generations.run()
            ending.cancel()
            models.cancel()
            account.cancel()
            scraping.cancel()
            # Calls first, logins after: who asked for a refresh gets it, also at a hand-over.
            self.feed.close()
            self.dispatcher.close()
            control.stop()
            await asyncio.wait((serving,), timeout=LAST_CALLS_S)
            serving.cancel()
            self._stopping.set()
            self._login.wake()
            await asyncio.wait((logins, files))
            for keeping in (storing, batching, working):
                keeping.cancel()
        await self._state_file.close()

    def reload(self) -> None:
        """Take on what changed in config.json and auth.json."""
        before = self.config.settings
        if self.config.reload():
            settings = self.config.settings
            logger.info("configuration changed")
            adjust_logging(settings.log_level, settings.log_format)
            if _shape(settings) != _shape(before) or self._generations.problem:
                self._generations.want(_shape(settings))
            self._login.configure(self._auth_file, settings.oauth_issuer, settings.user_agent)
            self.responses.prune_soon()
            self._metrics_server.look()
        else:
            self._login.reload()
        self._publish()

    def watching(self, generation: int | None) -> AbstractContextManager[None]:
        """Count a worker of a generation as following the snapshots."""
        return self._generations.watching(generation)

    async def refresh(self, rejected_revision: int | None, *, by_client: bool = False) -> Snapshot:
        """Return a snapshot with a login that is newer than the rejected one.

        Raises:
            CodexiaError: there is none to be had.
        """
        await self._login.refresh(rejected_revision, by_client=by_client)
        self._publish()
        return self.feed.newest

    def status(self) -> SupervisorStatus:
        """Return the supervisor's account of itself."""
        login = self._login.login
        problems = (
            self.config.problem,
            self._login.problem,
            self._generations.problem,
            self.catalogue.problem,
            self._state_file.problem,
            self._metrics_server.problem,
        )
        return SupervisorStatus(
            version=__version__,
            pid=os.getpid(),
            started_at=self._started_at,
            revision=self.feed.newest.revision,
            bind=self._address,
            logged_in=login is not None,
            login_hint=self._login.hint,
            token_expires_at=login.expires_at if login else None,
            auth_file=str(self._auth_file.resolve()),
            generations=self._generations.statuses(),
            models=self.feed.newest.models.ids,
            problems=tuple(problem for problem in problems if problem),
            config_problem=self.config.problem,
            config_warnings=self.config.warnings,
            sources=dict(self.config.sources),
            pinned=self.config.pinned,
            workers_problem=self._generations.problem,
            settled=self._generations.serves(_shape(self.config.settings)),
            counters=dict(self._counters),
            batches=self.dispatcher.activity(),
        )

    def metrics(self) -> bytes:
        """Return everything that is counted, as Prometheus reads it."""
        # Its library takes a tenth of a second to import, and most are never asked.
        from codexia_supervisor.metrics import Metrics  # noqa: PLC0415

        refreshes, states = self._login.refreshes, self.dispatcher.states
        return Metrics(self.account.fleet, self.status, refreshes, states).text()

    async def account_status(self) -> AccountStatus:
        """Return login, quota and gateway, as `GET /v1/status` shows them."""
        status = self.status()
        gateway = GatewayStatus(
            version=status.version,
            pid=status.pid,
            started_at=status.started_at,
            uptime_seconds=int(time.time() - status.started_at),
            bind=status.bind,
            revision=status.revision,
            workers=sum(each.workers for each in status.generations),
            generations=status.generations,
            problems=status.problems,
            warnings=status.config_warnings,
        )
        return (await self.account.status()).model_copy(update={"gateway": gateway})

    @property
    def _auth_file(self) -> Path:
        configured = self.config.settings.auth_file
        return self._home.auth_file if configured is None else configured.expanduser()

    @property
    def _address(self) -> str:
        settings, listener = self.config.settings, self._generations.listener
        if listener is not None:
            return listener.address
        return f"{bracketed(settings.bind_host)}:{settings.bind_port}"

    def _known_secrets(self) -> tuple[str, ...]:
        keys = (each.key.get_secret_value() for each in self.config.settings.keys)
        return (*self._login.secrets, *keys)

    def _worker_count(self) -> int:
        return sum(each.workers for each in self._generations.statuses())

    def _files(self) -> list[Path]:
        return [self._home.config_file, self._auth_file]

    def _upstream(self) -> CodexUpstream:
        settings = self.config.settings
        return CodexUpstream(
            settings.upstream_base_url,
            settings.originator,
            settings.user_agent,
            settings.client_version,
        )

    def _publish(self) -> None:
        """Bring the feed to what all parts say now."""
        listener = self._generations.listener
        settings = self.config.settings
        self.shares.configure(settings.stream_caps)
        self.feed.publish(
            build_snapshot(
                settings,
                self._login.login,
                self._login.hint,
                self.catalogue.models,
                listener.bound_port if listener else self.feed.newest.bind_port,
                self._generations.drain_before,
            ).model_copy(
                update={"cooldowns": self.account.cooldowns, "shares": self.shares.current}
            )
        )
        self.catalogue.look()
        self.dispatcher.wake()
        self.account.look()
        if self._generations.serving and self._address != self._announced:
            self._announced = self._address
            self._listening(f"http://{self._address}")


def _shape(settings: Settings) -> Shape:
    return Shape(__version__, settings.bind_host, settings.bind_port, settings.workers)
