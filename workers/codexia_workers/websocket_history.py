"""What a WebSocket remembers of its own responses, so that a turn need only send what is new."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from codexia.codex.payload import children_at, text_at
from codexia.dialects.dialect import PreviousResponse
from codexia.dialects.responses_input import referenced_ids

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from starlette.types import Scope

    from codexia.codex.payload import Json
    from codexia.codex.request import CodexRequest
    from codexia.dialects.dialect import Context
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

    async def recall(self, message: dict[str, Any], scope: Scope, context: Context) -> Context:
        """Return the context with what a message names of earlier, as far as it is known.

        Raises:
            SupervisorUnavailable: it is not of this connection, and nobody can tell of others.
        """
        named = message.get("previous_response_id")
        previous = self._last.get(named) if isinstance(named, str) else None
        wanted = referenced_ids(message)
        own = self._items(wanted)
        return replace(
            context,
            previous=previous or await self._stored.previous(message, scope),
            referenced={**own, **await self._stored.items(wanted - own.keys(), scope)},
        )

    def _items(self, wanted: AbstractSet[str]) -> dict[str, Json]:
        """Return those items of the last responses that are wanted."""
        if not wanted:
            return {}
        items = (item for response in self._last.values() for item in response.items)
        return {text_at(item, "id"): item for item in items if text_at(item, "id") in wanted}
