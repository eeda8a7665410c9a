"""What a WebSocket remembers of its own responses, so that a turn need only send what is new."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from codexia.codex.payload import children_at, text_at
from codexia.dialects.dialect import PreviousResponse

if TYPE_CHECKING:
    from starlette.types import Scope

    from codexia.codex.payload import Json
    from codexia.codex.request import CodexRequest
    from codexia_workers.stored_responses import StoredResponses

KEPT_RESPONSES: Final = 8
"""A conversation goes on from its last response, or is forked from one shortly before."""


class ConnectionHistory:
    """The last responses of one connection, whether their client wants them stored or not.

    Consecutive turns share their items, so a conversation is held once and not once a turn.
    """

    def __init__(self, stored: StoredResponses) -> None:
        self._stored = stored
        self._last: OrderedDict[str, PreviousResponse] = OrderedDict()

    def remember(self, request: CodexRequest, response: Json) -> None:
        """Keep a response, to be gone on from."""
        items = [*request.body["input"], *children_at(response, "output")]
        self._last[text_at(response, "id")] = PreviousResponse(items, request.session_key)
        while len(self._last) > KEPT_RESPONSES:
            self._last.popitem(last=False)

    async def previous(self, message: dict[str, Any], scope: Scope) -> PreviousResponse | None:
        """Return the response that a message goes on from; None where it names none that is known.

        Raises:
            SupervisorUnavailable: it is none of this connection, and nobody can tell of others.
        """
        named = message.get("previous_response_id")
        known = self._last.get(named) if isinstance(named, str) else None
        return known or await self._stored.previous(message, scope)
