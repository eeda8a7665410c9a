"""What workers serve by: built from settings, login and catalogue, pushed at every change."""

from __future__ import annotations

import asyncio
import time
from hashlib import sha256
from typing import TYPE_CHECKING

from codexia.control import LocalKey, Login, ModelFacts, ModelRules, Snapshot, UpstreamIdentity
from codexia.models import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from codexia.config import Settings
    from codexia.models import Model


class SnapshotFeed:
    """The newest snapshot, and everyone who waits for a newer one.

    Revisions start at the time in milliseconds, so that they grow over restarts of the
    supervisor without a file: workers ignore a revision that is not newer than theirs.
    """

    def __init__(self, first: Snapshot) -> None:
        self.newest = first.model_copy(update={"revision": int(time.time() * 1000)})
        self._changed = asyncio.Event()
        self._closed = False

    def publish(self, snapshot: Snapshot) -> None:
        """Push a snapshot under the next revision, unless it says nothing new."""
        revision = self.newest.revision
        if snapshot.model_copy(update={"revision": revision}) == self.newest:
            return
        self.newest = snapshot.model_copy(update={"revision": revision + 1})
        self._wake()

    def close(self) -> None:
        """End every `follow`."""
        self._closed = True
        self._wake()

    async def follow(self) -> AsyncGenerator[bytes]:
        """Yield the newest snapshot as a line, now and after every change.

        A slow reader misses the ones in between, never the last.
        """
        while not self._closed:
            changed = self._changed
            yield self.newest.model_dump_json().encode() + b"\n"
            await changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def build_snapshot(
    settings: Settings,
    login: Login | None,
    login_hint: str,
    catalogue: Sequence[Model],
    bind_port: int,
    drain_before: int,
) -> Snapshot:
    """Return the snapshot that all these make; its revision is not set.

    Args:
        settings: in force.
        login: usable now, if there is one.
        login_hint: why there is none.
        catalogue: the account's models; empty while they are not known.
        bind_port: the port in fact, where the settings leave it open.
        drain_before: generations below this number close their connections.
    """
    listed = tuple(model.id for model in catalogue if model.listed)
    return Snapshot(
        revision=0,
        login=login,
        login_hint=login_hint,
        keys=tuple(
            LocalKey(
                name=key.name,
                sha256=sha256(key.key.get_secret_value().encode()).hexdigest(),
                models=key.models,
            )
            for key in settings.keys
        ),
        upstream=UpstreamIdentity(
            base_url=settings.upstream_base_url,
            originator=settings.originator,
            user_agent=settings.user_agent,
            client_version=settings.client_version,
        ),
        models=ModelRules(
            ids=settings.models or listed or BUILT_IN,
            fallback=settings.model_fallback,
            aliases=settings.model_aliases,
            known=tuple(
                ModelFacts(
                    id=model.id,
                    display_name=model.display_name,
                    context_window=model.context_window,
                    efforts=model.efforts,
                    listed=model.listed,
                    upgrade=model.upgrade,
                    prefer_websockets=model.prefer_websockets,
                )
                for model in catalogue
            ),
        ),
        bind_host=settings.bind_host,
        bind_port=bind_port,
        allowed_hosts=settings.allowed_hosts,
        allowed_origins=settings.allowed_origins,
        body_timeout_s=settings.body_timeout_s,
        upstream_idle_timeout_s=settings.upstream_idle_timeout_s,
        ping_interval_s=settings.ping_interval_s,
        upstream_transport=settings.upstream_transport,
        queue_timeout_s=settings.queue_timeout_s,
        max_request_memory_mb=settings.max_request_memory_mb,
        log_level=settings.log_level,
        log_format=settings.log_format,
        record=settings.record,
        record_content=settings.record_content,
        drain_before=drain_before,
    )
