"""The command line's way to the supervisor.

Workers have their own client, in their event loop; this one blocks.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import orjson

from codexia.control import SupervisorStatus
from codexia.errors import NotFound, SupervisorUnavailable

if TYPE_CHECKING:
    from pydantic import BaseModel


class NoSupervisor(SupervisorUnavailable):
    """None runs for this home."""


class ControlClient:
    """Calls the supervisor from the command line."""

    def __init__(self, socket_path: Path, timeout_s: float = 5.0) -> None:
        self._socket_path = str(socket_path)
        self._timeout_s = timeout_s

    def call(self, method: str, path: str, body: BaseModel | None = None) -> dict[str, Any]:
        """Return the decoded answer of one call.

        Raises:
            NotFound: it has no such thing, or is of a version without such a call.
            SupervisorUnavailable: nobody answers, somebody else would, or the answer is an error.
        """
        _require_own(self._socket_path)
        content = None if body is None else body.model_dump_json().encode()
        try:
            with httpx.Client(
                transport=httpx.HTTPTransport(uds=self._socket_path),
                base_url="http://supervisor",
                timeout=self._timeout_s,
            ) as http:
                reply = http.request(method, path, content=content)
        except httpx.ConnectError as error:
            raise NoSupervisor("no supervisor answers; start one with `codexia serve`") from error
        except httpx.TransportError as error:
            raise SupervisorUnavailable(
                "the supervisor does not answer; `codexia status` shows whether it lives"
            ) from error
        payload: dict[str, Any] = orjson.loads(reply.content) if reply.content else {}
        if reply.is_error:
            message = payload.get("error", {}).get("message", reply.reason_phrase)
            raise (NotFound if reply.status_code == 404 else SupervisorUnavailable)(message)
        return payload

    def status(self) -> SupervisorStatus:
        """Return the supervisor's account of itself."""
        return SupervisorStatus.model_validate(self.call("GET", "/status"))


def _require_own(socket_path: str) -> None:
    """Return unless another user made the directory of the socket, which may be below /tmp."""
    directory = Path(socket_path).parent
    try:
        owner = directory.lstat().st_uid
    except OSError:
        return  # then nobody answers there
    if os.geteuid() not in {owner, 0}:
        raise SupervisorUnavailable(f"{directory} belongs to user {owner}, and you are another")
