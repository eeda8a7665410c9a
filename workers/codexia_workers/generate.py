"""The endpoint of the three dialects: one request in, one answer out, streamed or whole."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from codexia.codex.upstream import RETURNED_HEADERS
from codexia.dialects.dialect import Context
from codexia.errors import CodexiaError, ContextOverflow, ModelRefused
from codexia_workers.answers import identity_headers, send_error, send_json
from codexia_workers.body import ClientGone, read_json
from codexia_workers.request_record import record_of
from codexia_workers.serving import serving_of
from codexia_workers.stream import StreamedAnswer, collect
from codexia_workers.upstream import open_reply

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from codexia.dialects.dialect import Dialect, Translation
    from codexia.models import ModelTable
    from codexia_workers.answers import Headers
    from codexia_workers.reply import UpstreamReply
    from codexia_workers.stream import Keep
    from codexia_workers.worker import Worker

STREAM_HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # Reverse proxies collect a response before they pass it on, unless told not to.
    (b"x-accel-buffering", b"no"),
]


class Generate:
    """The ASGI app of one dialect's generating endpoint."""

    def __init__(self, worker: Worker, dialect: Dialect) -> None:
        self._worker = worker
        self._dialect = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            CodexiaError: the request itself is at fault.
        """
        try:
            payload = await read_json(scope, receive)
            translation = await translated(self._worker, self._dialect, payload, scope)
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(until_gone(receive))
                await self._answer(translation, scope, send, watching)
                watching.cancel()
        except* ClientGone:
            # There is nobody to tell. What was under way is cancelled, upstream included.
            record_of(scope).outcome = "client gone"

    async def _answer(
        self,
        translation: Translation,
        scope: Scope,
        send: Send,
        watching: asyncio.Task[None],
    ) -> None:
        """Send the answer."""
        answer: StreamedAnswer | None = None
        serving = serving_of(scope, self._worker.serving)
        keep = self._worker.responses.keeper(translation, scope)
        try:
            async with open_reply(self._worker, translation.request, scope) as upstream:
                headers = _returned_headers(upstream)
                if translation.stream:
                    answer = StreamedAnswer(send, self._dialect, translation, keep)
                    interval_s = serving.snapshot.ping_interval_s
                    await answer.run(
                        upstream, [*STREAM_HEADERS, *identity_headers(scope), *headers], interval_s
                    )
                else:
                    whole = await whole_answer(translation, upstream, keep)
                    await send_json(scope, send, whole, headers=headers)
                # The server tells of a disconnect after the last byte too, and what is left
                # to do does not depend on the client.
                watching.cancel()
                self._worker.observed.answered(translation, upstream)
                record_of(scope).answered(translation, answer.failure if answer else None)
        except CodexiaError as error:
            complete_error(error, translation, serving.models)
            await send_error(scope, send, error)


async def translated(
    worker: Worker, dialect: Dialect, payload: dict[str, Any], scope: Scope
) -> Translation:
    """Return the translation of a request, with what it names of earlier.

    Raises:
        CodexiaError: the request is at fault, or nobody can tell what it names.
    """
    worker.observed.requested(dialect.name)
    record_of(scope).name = dialect.name
    context = context_of(scope, worker)
    if dialect.continues:
        context = await worker.responses.recall(payload, scope, context)
    translation = dialect.translate(payload, context)
    record_of(scope).model = translation.model
    return translation


async def whole_answer(
    translation: Translation, upstream: UpstreamReply | None, keep: Keep | None
) -> dict[str, Any]:
    """Return the whole answer of a reply, once it is stored where it is to be.

    Raises:
        CodexiaError: the reply broke off, or is the backend's failure.
    """
    whole = await collect(translation, upstream)
    if keep is not None:
        await keep(whole)
    return whole


def context_of(scope: Scope, worker: Worker, request_id: str = "") -> Context:
    """Return what a translation may know of a request.

    Args:
        scope: of the request, or of the connection that it came over.
        worker: where it is served.
        request_id: the request's own where the connection carries several.
    """
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    # Ids of the answer come from the request's, so that a log line leads to both.
    response_id = (request_id or scope["state"]["request_id"]).removeprefix("req_")
    return Context(serving_of(scope, worker.serving).models, response_id, int(time.time()), headers)


def complete_error(error: CodexiaError, translation: Translation, models: ModelTable) -> None:
    """Let the backend's error tell what the backend does not know."""
    if isinstance(error, ContextOverflow):
        error.input_tokens = translation.input_tokens
        error.maximum = models.facts(translation.model).context_window
    elif isinstance(error, ModelRefused):
        error.offered = models.ids


async def until_gone(receive: Receive) -> None:
    """Raise once the client has closed its connection.

    Raises:
        ClientGone: always, in the end.
    """
    while (await receive())["type"] != "http.disconnect":
        pass
    raise ClientGone


def _returned_headers(upstream: UpstreamReply | None) -> Headers:
    if upstream is None:
        return []
    return [
        (name.encode(), value.encode("latin-1", "replace"))
        for name in RETURNED_HEADERS
        if (value := upstream.headers.get(name))
    ]
