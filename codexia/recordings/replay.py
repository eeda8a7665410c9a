"""Plays a recorded exchange again: the client's part by HTTP, the backend's by the simulator.

Gateway and simulator live in a scratch home and end with it; the login is the simulator's.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import orjson

from codexia.config import ENVIRONMENT
from codexia.errors import BadRequest, CodexiaError
from codexia.files import replace_file
from codexia.recordings.comparison import Difference, Told, first_difference
from codexia.recordings.masking import without_content
from codexia.recordings.recording import Reply
from codexia.recordings.redaction import MASK, Redaction
from codexia.simulator.replayed import RecordedReply
from codexia.simulator.server import Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codexia.recordings.recording import Recording

START_S: Final = 30.0
STOP_S: Final = 10.0
CLIENT_PATIENCE_S: Final = 60.0
SILENCE_S: Final = 1.0
"""What the gateway is told to wait for a backend that was silent."""

NOT_SENT: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "host",
        "transfer-encoding",
    }
)
"""Headers of a request that belong to its connection, or to an encoding that the body lost."""

NOT_IN_A_POST: Final = frozenset({"type", "stream_id", "generate"})
"""Members of a WebSocket's `response.create` that `POST /v1/responses` does not have."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a replay gave.

    Attributes:
        request_id: of the exchange as it was played again.
        status: that the client got.
        difference: the first between the replies, None where they say the same.
    """

    request_id: str
    status: int
    difference: Difference | None


def replay(recording: Recording, *, paced: bool = False) -> Outcome:
    """Return what becomes of a recorded exchange today.

    Args:
        recording: of the exchange.
        paced: whether the backend takes as long as it did.

    Raises:
        BadRequest: the recording does not hold all that it takes.
        CodexiaError: the gateway for it does not start.
    """
    return asyncio.run(_replay(recording, paced))


async def _replay(recording: Recording, paced: bool) -> Outcome:
    body = _body_of(recording)
    async with Simulator() as simulator:
        for call in recording.upstream:
            simulator.replayed.add(_played(call.reply, call.at_ms, paced))
        async with _gateway(recording, simulator) as url:
            told = await _ask(url, recording, body)
    shapes_only = not recording.content
    was = Told(recording.reply, recording.id)
    difference = first_difference(was, told, shapes_only=shapes_only)
    return Outcome(told.request_id, told.reply.status, difference)


def _body_of(recording: Recording) -> bytes:
    """Return what the client is to send.

    Raises:
        BadRequest: it was not recorded whole, or builds on what is not in the recording.
    """
    parts = [recording.request, *(call.reply for call in recording.upstream), recording.reply]
    if not all(part.exact for part in parts):
        raise BadRequest("it cannot be played again: a body is not UTF-8, or was cut")
    body = recording.request.body.encode()
    message = _object(body)
    if message.get("previous_response_id"):
        raise BadRequest(
            "it cannot be played again: it goes on from an earlier response, which is not in it"
        )
    if recording.transport == "websocket":
        kept = {name: value for name, value in message.items() if name not in NOT_IN_A_POST}
        return orjson.dumps({**kept, "stream": True})
    return body


def _object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body is; an empty one where it is none."""
    try:
        decoded: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return decoded if isinstance(decoded, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def _played(reply: Reply, began_ms: float, paced: bool) -> RecordedReply:
    """Return a backend's reply as the simulator plays it."""
    content, at_ms, start = reply.body.encode(), began_ms, 0
    parts: list[tuple[float, bytes]] = []
    for part_ms, size_bytes in reply.parts:
        pause_s = max(part_ms - at_ms, 0) / 1000 if paced else 0.0
        parts.append((pause_s, content[start : start + size_bytes]))
        at_ms, start = part_ms, start + size_bytes
    headers = tuple(each for each in reply.headers if each[1] != MASK)
    return RecordedReply(reply.status, headers, tuple(parts), reply.end)


@asynccontextmanager
async def _gateway(recording: Recording, simulator: Simulator) -> AsyncGenerator[str]:
    """Give the address of a gateway that asks the simulator.

    Raises:
        CodexiaError: it did not start.
    """
    with tempfile.TemporaryDirectory(prefix="codexia-replay-") as scratch:
        home = Path(scratch)
        replace_file(home / "auth.json", orjson.dumps(simulator.issue_credentials()))
        replace_file(home / "config.json", orjson.dumps(_settings(recording, simulator)))
        unset = set(ENVIRONMENT.values())
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "codexia", "serve"),
            env={**environment, "CODEXIA_HOME": scratch},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield await _address(process)
        finally:
            await _stop(process)


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None  # noqa: S101 - for the type checker: stdout is a pipe
    said: list[str] = []
    try:
        async with asyncio.timeout(START_S):
            while line := (await process.stdout.readline()).decode("utf-8", "replace").strip():
                if "listening on" in line:
                    return line.split()[-1]
                said.append(line)
    except TimeoutError:
        said.append("it takes too long")
    raise CodexiaError(f"the gateway for the replay did not start: {' '.join(said[-3:])}")


async def _stop(process: asyncio.subprocess.Process) -> None:
    try:
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGKILL):
            if process.returncode is None:
                process.send_signal(number)
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
                    return
            except TimeoutError:
                continue
    except ProcessLookupError:
        return


def _settings(recording: Recording, simulator: Simulator) -> dict[str, Any]:
    models = recording.models
    silent = any(call.reply.end == "silent" for call in recording.upstream)
    return {
        "bind_port": 0,
        "workers": 1,
        "upstream_base_url": simulator.base_url,
        "oauth_issuer": simulator.issuer,
        "upstream_transport": "http",
        "model_fallback": models.fallback,
        "model_aliases": models.aliases,
        "models": list(models.ids),
        "response_store_max_mb": 0,
        **({"upstream_idle_timeout_s": SILENCE_S} if silent else {}),
    }


async def _ask(url: str, recording: Recording, body: bytes) -> Told:
    """Return what the client gets now, with the same taken out that was when it was recorded."""
    request = recording.request
    headers = [
        (name, value) for name, value in request.headers if name not in NOT_SENT and value != MASK
    ]
    if recording.transport == "websocket":
        headers.append(("content-type", "application/json"))
    async with httpx.AsyncClient(timeout=CLIENT_PATIENCE_S, trust_env=False) as http:
        asked = http.build_request("POST", url + request.path, headers=headers, content=body)
        reply = await http.send(asked, stream=True)
        content = b""
        try:
            async for chunk in reply.aiter_raw():
                content += chunk
        except httpx.TransportError as error:
            raise CodexiaError("the gateway of the replay broke off its answer") from error
        finally:
            await reply.aclose()
    content = Redaction().content(content)
    if not recording.content:
        content = without_content(content)
    told = Reply(
        status=reply.status_code,
        headers=tuple(reply.headers.items()),
        body=content.decode("utf-8", "replace"),
        end="ended",
    )
    return Told(told, reply.headers.get("x-request-id", ""))
