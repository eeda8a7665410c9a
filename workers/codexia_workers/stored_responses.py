"""A worker's way to the stored responses, which the supervisor has.

Nothing is asked for a request that says `store: false` and names nothing of earlier. An
answer is stored before its terminal event goes out, so that a client which goes on from it
at once, at whatever worker, finds it.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import orjson

from codexia.codex.payload import children_at, text_at
from codexia.control import ItemsRequest, StoredItems, StoredResponse
from codexia.dialects.dialect import PreviousResponse
from codexia.dialects.responses_input import referenced_ids
from codexia.errors import SupervisorUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Scope

    from codexia.codex.payload import Json
    from codexia.dialects.dialect import Context, Translation
    from codexia_workers.stream import Keep
    from codexia_workers.supervisor_calls import SupervisorCalls

logger = logging.getLogger("codexia.responses")

STORE_TIMEOUT_S: Final = 5.0
"""Longest that a terminal event waits for its answer to be stored. Usually that takes 5 ms, for
the first one ever a second: the supervisor then loads what it needs."""

READ_TIMEOUT_S: Final = 10.0

STORED: Final = frozenset({"completed", "incomplete"})
"""Failed answers are not stored: there is nothing in them to go on from."""

MAX_ITEM_ID_CHARS: Final = 160

_ID = re.compile(r"resp_[A-Za-z0-9_-]{1,128}")


class StoredResponses:
    """Responses by id, each for the holder of one local key only."""

    def __init__(self, supervisor: SupervisorCalls) -> None:
        self._supervisor = supervisor
        self._failing = False

    def keeper(self, translation: Translation, scope: Scope) -> Keep | None:
        """Return what stores the answer to a request, None if its client wants none stored."""
        if not translation.store:
            return None
        return partial(self._keep, translation, scope["state"]["key_name"])

    async def recall(self, payload: dict[str, Any], scope: Scope, context: Context) -> Context:
        """Return the context with what a request names of earlier, as far as it is known.

        Raises:
            SupervisorUnavailable: nobody can tell.
        """
        previous = await self.previous(payload, scope)
        return replace(
            context,
            previous=previous,
            referenced=await self.items(referenced_ids(payload), scope),
        )

    async def previous(self, payload: dict[str, Any], scope: Scope) -> PreviousResponse | None:
        """Return the response that a request goes on from; None where it names none that is known.

        Raises:
            SupervisorUnavailable: nobody can tell.
        """
        response_id = payload.get("previous_response_id")
        if not isinstance(response_id, str):
            return None
        stored = await self.get(response_id, scope)
        if stored is None:
            return None
        return PreviousResponse([*stored.input, *stored.response["output"]], stored.session_key)

    async def get(self, response_id: str, scope: Scope) -> StoredResponse | None:
        """Return a response, None where the caller has none of this id.

        Raises:
            SupervisorUnavailable: nobody can tell.
        """
        content = await self._call_of("GET", response_id, scope["state"]["key_name"])
        return None if content is None else StoredResponse.model_validate(orjson.loads(content))

    async def items(self, ids: Iterable[str], scope: Scope) -> dict[str, Json]:
        """Return the output items that the caller has among these ids.

        Raises:
            SupervisorUnavailable: nobody can tell.
        """
        wanted = ItemsRequest(ids=tuple(ids))
        if not wanted.ids:
            return {}
        path = f"/items?{urlencode({'key': scope['state']['key_name']})}"
        content = await self._call("POST", path, wanted.model_dump_json().encode())
        return {} if content is None else StoredItems.model_validate(orjson.loads(content)).items

    async def delete(self, response_id: str, scope: Scope) -> bool:
        """Forget a response; return whether the caller had one of this id.

        Raises:
            SupervisorUnavailable: nobody can tell.
        """
        return await self._call_of("DELETE", response_id, scope["state"]["key_name"]) is not None

    async def _keep(
        self, translation: Translation, key_name: str, response: dict[str, Any]
    ) -> None:
        """Store an answer. If that fails the answer is still an answer."""
        if response["status"] not in STORED or translation.request is None:
            return
        stored = StoredResponse(
            response=response,
            input=translation.request.body["input"],
            session_key=translation.request.session_key,
        )
        output = StoredItems(items=_by_id(children_at(response, "output")))
        content = b"%b\n%b" % (orjson.dumps(dict(stored)), orjson.dumps(dict(output)))
        try:
            await self._call_of("PUT", response["id"], key_name, content, STORE_TIMEOUT_S)
        except SupervisorUnavailable as error:
            if not self._failing:
                logger.warning("responses are not stored at the moment: %s", error)
            self._failing = True
        else:
            self._failing = False

    async def _call_of(
        self,
        method: str,
        response_id: str,
        key_name: str,
        content: bytes = b"",
        timeout_s: float = READ_TIMEOUT_S,
    ) -> bytes | None:
        """Return the supervisor's answer to a call of one response, None where there is none."""
        if not _ID.fullmatch(response_id):
            return None
        path = f"/responses/{response_id}?{urlencode({'key': key_name})}"
        return await self._call(method, path, content, timeout_s)

    async def _call(
        self, method: str, path: str, content: bytes, timeout_s: float = READ_TIMEOUT_S
    ) -> bytes | None:
        """Return the supervisor's answer, None where what is asked for is not there."""
        status, answer = await self._supervisor.call(
            method, path, content, timeout_s, repeatable=True
        )
        if status == 404:
            return None
        if status >= 400:
            raise SupervisorUnavailable(orjson.loads(answer)["error"]["message"])
        return answer


def _by_id(items: Iterable[Json]) -> dict[str, Json]:
    ids = ((text_at(item, "id"), item) for item in items)
    return {item_id: item for item_id, item in ids if 0 < len(item_id) <= MAX_ITEM_ID_CHARS}
