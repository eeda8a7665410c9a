"""The supervisor: its parts, and how a change in one reaches the others."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from typing import TYPE_CHECKING

from codexia import __version__
from codexia.codex.upstream import CodexUpstream
from codexia.control import SupervisorStatus
from codexia_supervisor.catalogue import Catalogue
from codexia_supervisor.control_app import create_control_app
from codexia_supervisor.control_server import ControlServer
from codexia_supervisor.file_watch import watch_files
from codexia_supervisor.generations import COMMAND, Generations
from codexia_supervisor.listener import bracketed
from codexia_supervisor.login_keeper import LoginKeeper
from codexia_supervisor.plan import Shape
from codexia_supervisor.snapshot import SnapshotFeed, build_snapshot
from codexia_supervisor.stored_responses import StoredResponses
from codexia_supervisor.token_counter import TokenCounter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from codexia.config import Settings
    from codexia.control import Snapshot
    from codexia.paths import Home
    from codexia_supervisor.live_config import LiveConfig

logger = logging.getLogger("codexia.supervisor")

STOP_GRACE_S = 30.0
"""How long running streams may take to finish after the first signal."""


class Supervisor:
    """Settings, login, catalogue and generations of one home, and the feed that joins them.

    Attributes:
        feed: what workers serve by.
        token_counter: the one tokenizer of all workers.
        responses: what clients may ask for again.
    """

    def __init__(
        self,
        home: Home,
        config: LiveConfig,
        listening: Callable[[str], None],
        command: Sequence[str] = COMMAND,
    ) -> None:
        """Assemble a supervisor; it does nothing until `run`.

        Args:
            home: whose lock the caller holds.
            config: the settings.
            listening: called with the URL whenever another one begins to be served.
            command: what a generation of workers is started with.
        """
        settings = config.settings
        self._home = home
        self._config = config
        self._listening = listening
        self._announced = ""
        self._started_at = time.time()
        self._counters: Counter[str] = Counter()
        self._stop_asked = False
        self._stopping = asyncio.Event()
        self._login = LoginKeeper(
            self._auth_file, settings.oauth_issuer, settings.user_agent, self._publish
        )
        self._catalogue = Catalogue(self._login, self._upstream, self._publish)
        self.feed = SnapshotFeed(build_snapshot(settings, None, "", (), settings.bind_port, 0))
        self.token_counter = TokenCounter()
        self.responses = StoredResponses(home.state_file, lambda: self._config.settings)
        self._generations = Generations(
            home, _shape(settings), lambda: self.feed.newest, self._publish, command
        )
        self._login.reload()

    @property
    def login_hint(self) -> str:
        """Why there is no usable login, "" when there is one."""
        return self._login.hint

    async def prepare(self) -> None:
        """Take on what a killed supervisor left, and open the socket.

        Raises:
            BindFailed: the address cannot be had; says what to do.
        """
        await self._generations.prepare()
        self._publish()

    async def run(self) -> None:
        """Serve until `stop`."""
        control = ControlServer(create_control_app(self, self._counters), self._home.control_socket)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(control.run())
            logins = group.create_task(self._login.run(self._stopping))
            models = group.create_task(self._catalogue.run())
            storing = group.create_task(self.responses.run())
            files = group.create_task(watch_files(self._files, self.reload, self._stopping))
            await self._generations.run()
            self._stopping.set()
            self._login.wake()
            models.cancel()
            await asyncio.wait((logins, files))
            self.feed.close()
            control.stop()
            await serving
            storing.cancel()

    def reload(self) -> None:
        """Take on what changed in config.json and auth.json."""
        before = self._config.settings
        if self._config.reload():
            settings = self._config.settings
            logger.info("configuration changed")
            logging.getLogger("codexia").setLevel(settings.log_level.upper())
            if _shape(settings) != _shape(before) or self._generations.problem:
                self._generations.want(_shape(settings))
            self._login.configure(self._auth_file, settings.oauth_issuer, settings.user_agent)
            self.responses.prune_soon()
        else:
            self._login.reload()
        self._publish()

    def stop(self) -> None:
        """Finish the running streams and end; a second call ends at once."""
        self._generations.stop(0.0 if self._stop_asked else STOP_GRACE_S)
        self._stop_asked = True

    def watching(self, generation: int | None) -> AbstractContextManager[None]:
        """Count a worker of a generation as following the snapshots."""
        return self._generations.watching(generation)

    async def refresh(self, rejected_revision: int | None) -> Snapshot:
        """Return a snapshot with a login that is newer than the rejected one.

        Raises:
            CodexiaError: there is none to be had.
        """
        await self._login.refresh(rejected_revision)
        self._publish()
        return self.feed.newest

    def status(self) -> SupervisorStatus:
        """Return the supervisor's account of itself."""
        login = self._login.login
        problems = (
            self._config.problem,
            self._login.problem,
            self._generations.problem,
            self._catalogue.problem,
            self.responses.problem,
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
            generations=self._generations.statuses(),
            models=self.feed.newest.models.ids,
            problems=tuple(problem for problem in problems if problem),
            counters=dict(self._counters),
        )

    @property
    def _auth_file(self) -> Path:
        configured = self._config.settings.auth_file
        return self._home.auth_file if configured is None else configured.expanduser()

    @property
    def _address(self) -> str:
        settings, listener = self._config.settings, self._generations.listener
        if listener is not None:
            return listener.address
        return f"{bracketed(settings.bind_host)}:{settings.bind_port}"

    def _files(self) -> list[Path]:
        return [self._home.config_file, self._auth_file]

    def _upstream(self) -> CodexUpstream:
        settings = self._config.settings
        return CodexUpstream(
            settings.upstream_base_url,
            settings.originator,
            settings.user_agent,
            settings.client_version,
        )

    def _publish(self) -> None:
        """Bring the feed to what all parts say now."""
        listener = self._generations.listener
        settings = self._config.settings
        self.feed.publish(
            build_snapshot(
                settings,
                self._login.login,
                self._login.hint,
                self._catalogue.models,
                listener.bound_port if listener else self.feed.newest.bind_port,
                self._generations.drain_before,
            )
        )
        self._catalogue.look()
        if self._generations.serving and self._address != self._announced:
            self._announced = self._address
            self._listening(f"http://{self._address}")


def _shape(settings: Settings) -> Shape:
    return Shape(__version__, settings.bind_host, settings.bind_port, settings.workers)
