"""One worker process: what it holds in memory for all its requests."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import aiohttp
import orjson
from pydantic import ValidationError

from codexia.control import PROTOCOL, RefreshRequest, Snapshot, TokenCount
from codexia.errors import LoginRequired, SupervisorUnavailable
from codexia_workers.serving import Serving
from codexia_workers.stored_responses import StoredResponses

if TYPE_CHECKING:
    from pydantic import BaseModel

    from codexia.control import GenerationSpec, TokenCountRequest

logger = logging.getLogger("codexia.worker")

RECONNECT_S: Final = 0.5
REFRESH_TIMEOUT_S: Final = 30.0
COUNT_TIMEOUT_S: Final = 60.0
"""60 MB of text, far more than any window holds, take the tokenizer 6 s."""

CONNECT_TIMEOUT_S: Final = 15.0
POOL_IDLE_S: Final = 60.0
MAX_SNAPSHOT_BYTES: Final = 8 * 1024 * 1024


class Worker:
    """The last snapshot, the way to the supervisor and the connections to the backend.

    Attributes:
        serving: replaced whole when a snapshot arrives; requests read it without a lock.
        http: the pool of connections to the backend.
        responses: what clients may ask for again.
    """

    def __init__(self, spec: GenerationSpec) -> None:
        self.generation = spec.generation
        self.serving = Serving.of(spec.snapshot)
        self.responses = StoredResponses(self)
        self.http: aiohttp.ClientSession
        self._control: aiohttp.ClientSession
        self._control_socket = spec.control_socket
        self._refresh_lock = asyncio.Lock()

    @property
    def draining(self) -> bool:
        """Whether a newer generation takes the new connections."""
        return self.serving.snapshot.drain_before > self.generation

    async def __aenter__(self) -> Worker:
        self.http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, keepalive_timeout=POOL_IDLE_S, ttl_dns_cache=60
            ),
            # The backend's Cloudflare cookies are bound to a browser's fingerprint; replaying
            # them from here draws challenges.
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("user-agent",),
        )
        self._control = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(self._control_socket, limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()
        await self._control.close()

    async def watch(self) -> None:
        """Keep `serving` at the supervisor's newest snapshot, for as long as the worker lives.

        A worker that loses the supervisor serves on with what it has and tries again.
        """
        while True:
            try:
                await self._watch_once()
            except (aiohttp.ClientError, OSError, ValidationError, ValueError) as error:
                logger.debug("snapshot watch ended: %s", error)
            await asyncio.sleep(RECONNECT_S)

    async def _watch_once(self) -> None:
        url = f"http://supervisor/watch?generation={self.generation}"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S)
        async with self._control.get(url, timeout=timeout) as reply:
            reply.raise_for_status()
            line = b""
            async for chunk in reply.content.iter_any():
                *lines, line = (line + chunk).split(b"\n")
                if len(line) > MAX_SNAPSHOT_BYTES:
                    raise ValueError("a snapshot is over the size limit")
                for complete in lines:
                    self._adopt(Snapshot.model_validate_json(complete))

    def _adopt(self, snapshot: Snapshot) -> None:
        if snapshot.protocol != PROTOCOL:
            logger.error("supervisor speaks protocol %s, not %s", snapshot.protocol, PROTOCOL)
            return
        if snapshot.revision <= self.serving.snapshot.revision:
            return
        self.serving = Serving.of(snapshot)
        logging.getLogger("codexia").setLevel(snapshot.log_level.upper())
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
            content = await self._call("/refresh", request, REFRESH_TIMEOUT_S)
            self._adopt(Snapshot.model_validate_json(content))

    async def count_tokens(self, request: TokenCountRequest) -> int:
        """Return the tokens of what a request holds.

        Raises:
            SupervisorUnavailable: the supervisor does not answer, or cannot count.
        """
        content = await self._call("/count_tokens", request, COUNT_TIMEOUT_S)
        return TokenCount.model_validate_json(content).tokens

    async def _call(self, path: str, message: BaseModel, timeout_s: float) -> bytes:
        content = message.model_dump_json().encode()
        status, answer = await self.call("POST", path, content, timeout_s)
        if status != 200:
            reason = orjson.loads(answer)["error"]["message"]
            # Only a 401 is for a person to mend; the rest passes by itself.
            raise (LoginRequired if status == 401 else SupervisorUnavailable)(reason)
        return answer

    async def call(
        self, method: str, path: str, content: bytes, timeout_s: float
    ) -> tuple[int, bytes]:
        """Return status and body of a call to the supervisor.

        Raises:
            SupervisorUnavailable: it does not answer.
        """
        try:
            async with self._control.request(
                method,
                f"http://supervisor{path}",
                data=content,
                headers={"content-type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=timeout_s),
            ) as reply:
                return reply.status, await reply.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            what = path.partition("?")[0]
            raise SupervisorUnavailable(
                f"the supervisor is needed for this ({what}) and does not answer; try again"
            ) from error
