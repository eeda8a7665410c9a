"""The account's model catalogue, fetched now and then."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from codexia.backend import BackendUnavailable, object_of_reply
from codexia.models import models_of_catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from codexia.codex.payload import Json
    from codexia.codex.upstream import CodexUpstream
    from codexia.models import Model
    from codexia_supervisor.backend import Backend
    from codexia_supervisor.login_keeper import LoginKeeper

logger = logging.getLogger("codexia.supervisor")

EVERY_S: Final = 1800.0
FIRST_RETRY_S: Final = 30.0


class Catalogue:
    """Which models the account has.

    Attributes:
        models: in the backend's order, hidden ones included; empty until they are known.
        document: as the backend sent it; b"" until it is known.
        problem: why they are not known, "" when they are.
    """

    def __init__(
        self,
        login: LoginKeeper,
        upstream: Callable[[], CodexUpstream],
        backend: Backend,
        changed: Callable[[], None],
    ) -> None:
        self.models: tuple[Model, ...] = ()
        self.document = b""
        self.problem = ""
        self._login = login
        self._upstream = upstream
        self._backend = backend
        self._changed = changed
        self._source: tuple[str, str] | None = None
        self._etag = ""
        self._wake = asyncio.Event()

    def look(self) -> None:
        """Fetch soon if the account or the backend is another than the last time."""
        if self._source != self._wanted_source():
            self._wake.set()

    async def run(self) -> None:
        """Keep the models known, until cancelled."""
        retry_s = FIRST_RETRY_S
        while True:
            wait_s = EVERY_S
            self._wake.clear()
            if self._login.login is not None:
                try:
                    await self._fetch()
                except BackendUnavailable as error:
                    self._fail(str(error))
                    wait_s, retry_s = retry_s, min(2 * retry_s, EVERY_S)
                else:
                    retry_s = FIRST_RETRY_S
            try:
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _wanted_source(self) -> tuple[str, str] | None:
        login = self._login.login
        if login is None:
            return None
        return login.account_id.get_secret_value(), self._upstream().models_url

    async def _fetch(self) -> None:
        source = self._wanted_source()
        if source != self._source:
            self._etag = ""
        self._source = source
        headers = {"if-none-match": self._etag} if self._etag else {}
        reply = await self._backend.get(lambda upstream: upstream.models_url, headers=headers)
        if reply.status_code == 304:
            return
        self.models = _parse(object_of_reply(reply))
        self.document = reply.content
        self.problem = ""
        self._etag = reply.headers.get("etag", "")
        logger.info("catalogue fetched models=%s", len(self.models))
        self._changed()

    def _fail(self, reason: str) -> None:
        problem = f"the model catalogue is not up to date: {reason}"
        if problem != self.problem:
            logger.warning("%s", problem)
            self.problem = problem


def _parse(catalogue: Json) -> tuple[Model, ...]:
    try:
        models = tuple(models_of_catalogue(catalogue))
    except (AttributeError, KeyError, TypeError) as error:
        raise BackendUnavailable("the backend sent a catalogue of unknown form") from error
    if not any(model.listed for model in models):
        raise BackendUnavailable("the backend lists no models for this account")
    return models
