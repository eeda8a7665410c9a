"""Frames as messages of a WebSocket, and the two events that come before all others there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from codexia.simulator.catalogue import catalogue_etag
from codexia.simulator.events import is_terminal, unnumbered_frame
from codexia.simulator.tokens import PLAN_TYPE

if TYPE_CHECKING:
    from aiohttp import web

    from codexia.simulator.plan import Plan, PlanLimit, PlanWindow

ITEM_DONE = b"event: response.output_item.done\n"
GOOD_ENDS = (b"event: response.completed\n", b"event: response.incomplete\n")


class SocketWriter:
    """Sends the data of each frame as a text message, and keeps what can be gone on from.

    Attributes:
        items: output items of the response so far.
        completed_id: its id once it ended well, "" before.
    """

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket
        self.items: list[dict[str, Any]] = []
        self.completed_id = ""

    def start(self) -> None:
        """Begin a response."""
        self.items, self.completed_id = [], ""

    async def write(self, data: bytes) -> None:
        """Send a frame; comments and halves of frames have no form here."""
        head, _, rest = data.partition(b"\ndata: ")
        if not rest.endswith(b"\n\n"):
            return
        content = rest[:-2]
        if head + b"\n" == ITEM_DONE:
            self.items.append(orjson.loads(content)["item"])
        elif is_terminal(data) and data.startswith(GOOD_ENDS):
            self.completed_id = orjson.loads(content)["response"]["id"]
        await self._socket.send_str(content.decode())


def metadata_frame(model: str) -> bytes:
    """Return what the headers of a POST's answer would say."""
    headers = {
        "openai-model": model,
        "x-models-etag": catalogue_etag(),
        "x-reasoning-included": "true",
    }
    return unnumbered_frame("codex.response.metadata", headers=headers)


def rate_limits_frame(plan: Plan) -> bytes:
    """Return what the plan has left."""
    return unnumbered_frame(
        "codex.rate_limits",
        plan_type=PLAN_TYPE,
        rate_limits=_limit(plan),
        credits={name: plan.credits.get(name) for name in ("has_credits", "unlimited", "balance")},
    )


def _limit(limit: PlanLimit) -> dict[str, Any]:
    return {
        "allowed": not limit.limit_reached,
        "limit_reached": limit.limit_reached,
        "primary": _window(limit.primary),
        "secondary": _window(limit.secondary),
    }


def _window(window: PlanWindow | None) -> dict[str, Any] | None:
    if window is None:
        return None
    return {
        "used_percent": window.used_percent,
        "window_minutes": window.window_seconds // 60,
        "reset_at": window.reset_at,
    }
