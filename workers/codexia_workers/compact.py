"""`POST /v1/responses/compact`: a conversation in, what to go on with out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from codexia.dialects.responses import RESPONSES
from codexia.dialects.responses_compact import (
    compacted_response,
    compaction_of,
    retained,
    shortened,
    with_trigger,
)
from codexia.errors import CodexiaError
from codexia_workers.answers import send_error, send_json
from codexia_workers.body import ClientGone, read_json
from codexia_workers.generate import complete_error, context_of, until_gone
from codexia_workers.request_record import record_of
from codexia_workers.serving import serving_of
from codexia_workers.stream import collect
from codexia_workers.upstream import open_reply

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from codexia.codex.payload import Json
    from codexia.dialects.dialect import Context, Translation
    from codexia_workers.worker import Worker

ATTEMPTS: Final = 2
"""The backend leaves the compaction item out now and then, and gives it when asked again."""


class Compact:
    """The ASGI app that compacts conversations."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            CodexiaError: the request itself is at fault.
        """
        record = record_of(scope)
        record.name = "compact"
        try:
            payload = with_trigger(await read_json(scope, receive))
            self._worker.observed.requested("compact")
            context = context_of(scope, self._worker)
            context = await self._worker.responses.recall(payload, scope, context)
            # One translation an attempt; the first refuses a request that is at fault.
            translations = [RESPONSES.translate(payload, context) for _ in range(ATTEMPTS)]
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(until_gone(receive))
                await self._answer(translations, context, scope, send)
                watching.cancel()
        except* ClientGone:
            record.outcome = "client gone"

    async def _answer(
        self, translations: list[Translation], context: Context, scope: Scope, send: Send
    ) -> None:
        """Send the answer."""
        translation, item = translations[0], None
        record = record_of(scope)
        record.model = translation.model
        serving = serving_of(scope, self._worker.serving)
        try:
            for translation in translations:
                async with open_reply(self._worker, translation.request, scope) as upstream:
                    item = compaction_of(await collect(translation, upstream))
                    self._worker.observed.answered(translation, upstream)
                if item is not None:
                    break
        except CodexiaError as error:
            complete_error(error, translation, serving.models)
            await send_error(scope, send, error)
            return
        usage = translation.reply.usage
        output = _output(translation, item, context.response_id)
        answer = compacted_response(context.response_id, context.created_at, output, usage)
        await send_json(scope, send, answer)
        record.answered(translation)
        if item is None:
            record.further["shortened"] = True


def _output(translation: Translation, item: Json | None, identity: str) -> list[Json]:
    assert translation.request  # noqa: S101 - this dialect answers nothing by itself
    conversation = translation.request.body["input"][:-1]
    if item is None:
        return shortened(conversation, identity)
    return [*retained(conversation, identity), item]
