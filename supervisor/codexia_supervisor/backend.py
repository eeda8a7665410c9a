"""The supervisor's way to ask the backend: with the login in force, refreshed if it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codexia.backend import TIMEOUT_S, BackendUnavailable, ask_backend
from codexia.errors import CodexiaError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from codexia.codex.upstream import CodexUpstream
    from codexia.control import Login
    from codexia.http import httpx
    from codexia_supervisor.login_keeper import LoginKeeper


class Backend:
    """Asks for what belongs to the account."""

    def __init__(self, login: LoginKeeper, upstream: Callable[[], CodexUpstream]) -> None:
        self._login = login
        self._upstream = upstream
        self._refused_anyway: set[str] = set()

    async def get(
        self,
        url_of: Callable[[CodexUpstream], str],
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> httpx.Response:
        """Return the reply to a GET, whatever its status.

        A refused login is refreshed once, together with whoever else was refused. An address
        that refuses the fresh one too causes no more refreshes until it answers.

        Args:
            url_of: which address of the backend.
            headers: more headers.
            timeout_s: limit of each step.

        Raises:
            BackendUnavailable: it could not be reached, or there is no login.
        """
        upstream = self._upstream()
        url = url_of(upstream)

        async def ask(login: Login) -> httpx.Response:
            return await ask_backend(
                upstream, login.credential(), url, headers=headers, timeout_s=timeout_s
            )

        login = self._held()
        reply = await ask(login)
        if reply.status_code == 401 and url not in self._refused_anyway:
            try:
                await self._login.refresh(login.revision)
            except CodexiaError as error:
                raise BackendUnavailable(error.message) from error
            reply = await ask(self._held())
        if reply.status_code == 401:
            self._refused_anyway.add(url)
        else:
            self._refused_anyway.discard(url)
        return reply

    def _held(self) -> Login:
        if self._login.login is None:
            raise BackendUnavailable(self._login.hint)
        return self._login.login
