"""The command line's way to the supervisor.

Workers have their own client, in their event loop; this one blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import orjson

from codexia.control import SupervisorStatus
from codexia.errors import SupervisorUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel


class ControlClient:
    """Calls the supervisor from the command line."""

    def __init__(self, socket_path: Path, timeout_s: float = 5.0) -> None:
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(socket_path)),
            base_url="http://supervisor",
            timeout=timeout_s,
        )

    def call(self, method: str, path: str, body: BaseModel | None = None) -> dict[str, Any]:
        """Return the decoded answer of one call.

        Raises:
            SupervisorUnavailable: nobody answers, or the answer is an error.
        """
        content = None if body is None else body.model_dump_json().encode()
        try:
            reply = self._http.request(method, path, content=content)
        except httpx.TransportError as error:
            raise SupervisorUnavailable(
                "no supervisor answers; start one with `codexia serve`"
            ) from error
        payload: dict[str, Any] = orjson.loads(reply.content) if reply.content else {}
        if reply.is_error:
            raise SupervisorUnavailable(
                payload.get("error", {}).get("message", reply.reason_phrase)
            )
        return payload

    def status(self) -> SupervisorStatus:
        """Return the supervisor's account of itself."""
        return SupervisorStatus.model_validate(self.call("GET", "/status"))
