"""The account's model catalogue, fetched now and then."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

import orjson

from codexia.errors import CodexiaError
from codexia.http import httpx
from codexia.models import models_of_catalogue
from codexia.proxies import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from codexia.codex.upstream import CodexUpstream
    from codexia.control import Login
    from codexia.models import Model
    from codexia_supervisor.login_keeper import LoginKeeper

logger = logging.getLogger("codexia.supervisor")

EVERY_S: Final = 1800.0
FIRST_RETRY_S: Final = 30.0
TIMEOUT_S: Final = 10.0


class CatalogueUnavailable(Exception):
    """The backend gave no catalogue; the message says why."""


class Catalogue:
    """Which models the account has.

    Attributes:
        models: in the backend's order, hidden ones included; empty until they are known.
        problem: why they are not known, "" when they are.
    """

    def __init__(
        self,
        login: LoginKeeper,
        upstream: Callable[[], CodexUpstream],
        changed: Callable[[], None],
    ) -> None:
        self.models: tuple[Model, ...] = ()
        self.problem = ""
        self._login = login
        self._upstream = upstream
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
                except CatalogueUnavailable as error:
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
        login, source = self._login.login, self._wanted_source()
        if login is None:
            return
        if source != self._source:
            self._etag = ""
        self._source = source
        reply = await self._get(login)
        if reply.status_code == 401:
            reply = await self._get_again(login)
        if reply.status_code == 304:
            return
        if reply.status_code != 200:
            raise CatalogueUnavailable(f"the backend answered {reply.status_code}")
        self.models = _parse(reply.content)
        self.problem = ""
        self._etag = reply.headers.get("etag", "")
        logger.info("catalogue fetched models=%s", len(self.models))
        self._changed()

    async def _get(self, login: Login) -> httpx.Response:
        upstream = self._upstream()
        headers = upstream.account_headers(login.credential())
        if self._etag:
            headers["if-none-match"] = self._etag
        url = upstream.models_url
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=not is_loopback(url)) as http:
                return await http.get(url, headers=headers)
        except httpx.HTTPError as error:
            raise CatalogueUnavailable(
                f"the backend could not be reached ({type(error).__name__})"
            ) from error

    async def _get_again(self, rejected: Login) -> httpx.Response:
        try:
            await self._login.refresh(rejected.revision)
        except CodexiaError as error:
            raise CatalogueUnavailable(error.message) from error
        login = self._login.login
        if login is None:
            raise CatalogueUnavailable(self._login.hint)
        return await self._get(login)

    def _fail(self, reason: str) -> None:
        problem = f"the model catalogue is not up to date: {reason}"
        if problem != self.problem:
            logger.warning("%s", problem)
            self.problem = problem


def _parse(content: bytes) -> tuple[Model, ...]:
    try:
        catalogue: Any = orjson.loads(content)
        models = tuple(models_of_catalogue(catalogue))
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
        raise CatalogueUnavailable("the backend sent a catalogue of unknown form") from error
    if not any(model.listed for model in models):
        raise CatalogueUnavailable("the backend lists no models for this account")
    return models
