"""`POST /v1/images/generations`.

Whole images come from the backend's images endpoint: one call for all of them, and one more
for each that its answer lacks. Where the endpoint is not there, fails twice, or has no word for
what is asked, each image is made by the hosted tool of a response of the fallback model, and so
is a streamed one. A refusal or a limit of the endpoint is the caller's to read.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

import orjson

from codexia.dialects.images import IMAGES, ImagesTranslation
from codexia.dialects.images_answer import answer_of_endpoint, joined
from codexia.errors import (
    BadRequest,
    CodexiaError,
    NotFound,
    Overloaded,
    UpstreamError,
    UpstreamTimeout,
)
from codexia_workers.answers import send_error, send_json
from codexia_workers.connection import ConnectionBroken, Silence
from codexia_workers.generate import Generate, complete_error
from codexia_workers.request_record import record_of
from codexia_workers.serving import serving_of
from codexia_workers.stream import collect
from codexia_workers.upstream import admitted, check_status, open_reply, patiently, post

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from starlette.types import Scope, Send

    from codexia.codex.payload import Json
    from codexia.dialects.dialect import Translation
    from codexia_workers.connection import Connection
    from codexia_workers.serving import Serving
    from codexia_workers.worker import Worker

logger = logging.getLogger("codexia.upstream")

ENDPOINT_RETRIES: Final = 1
MAX_REPLY_BYTES: Final = 256 * 1024 * 1024
"""Limit of the endpoint's reply: ten images, each as large as any that was seen."""


class GenerateImages(Generate):
    """The ASGI app of the images endpoint; a streamed image is an ordinary stream."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(worker, IMAGES)

    async def _answer(
        self,
        translation: Translation,
        scope: Scope,
        send: Send,
        watching: asyncio.Task[None],
    ) -> None:
        if translation.stream or not isinstance(translation, ImagesTranslation):
            await super()._answer(translation, scope, send, watching)
            return
        serving = serving_of(scope, self._worker.serving)
        try:
            answer = await _whole(self._worker, scope, translation)
        except CodexiaError as error:
            complete_error(error, translation, serving.models)
            await send_error(scope, send, error)
            return
        await send_json(scope, send, answer)
        watching.cancel()
        record_of(scope).outcome = "ok"
        record_of(scope).further["images"] = len(answer["data"])


async def _whole(worker: Worker, scope: Scope, translation: ImagesTranslation) -> Json:
    """Return the answer with as many images as were asked for."""
    request = translation.images
    answers: list[Json] = []
    one = _of_tool
    if request.endpoint_body is not None:
        try:
            answers.append(await _of_endpoint(worker, scope, translation, request.number))
            one = _of_endpoint
        except UpstreamTimeout:
            raise
        except (UpstreamError, Overloaded) as error:
            logger.info("asking the hosted tool for images after: %s", error)
    missing = request.number - sum(len(answer["data"]) for answer in answers)
    answers += await _together(one(worker, scope, translation) for _ in range(missing))
    return joined(answers)


async def _of_tool(worker: Worker, scope: Scope, translation: ImagesTranslation) -> Json:
    """Return the answer with one image of the hosted tool."""
    way = translation.again()
    async with open_reply(worker, way.request, scope) as upstream:
        return await collect(way, upstream)


async def _of_endpoint(
    worker: Worker, scope: Scope, translation: ImagesTranslation, number: int = 1
) -> Json:
    """Return the images endpoint's answer, with up to that many images.

    Raises:
        UpstreamError: the endpoint is not there, or fails.
        CodexiaError: it refuses.
    """
    body = {**(translation.images.endpoint_body or {}), "n": number}

    async def attempt(now: Serving) -> Json:
        headers = now.upstream.images_headers(now.login(), translation.context.response_id)
        connection = await post(worker, now, now.upstream.images_url, body, headers)
        try:
            return await _reply(connection)
        finally:
            worker.pool.release(connection)

    async with admitted(worker, translation.model, scope) as serving:
        reply = await patiently(worker, attempt, serving, ENDPOINT_RETRIES)
    answer = answer_of_endpoint(reply, translation.context.created_at)
    return {**answer, "data": answer["data"][:number]}


async def _reply(connection: Connection) -> Json:
    try:
        await check_status(connection)
    except (BadRequest, NotFound) as error:
        if connection.status in {404, 405}:
            raise UpstreamError("the Codex backend has no images endpoint") from error
        raise
    content = bytearray()
    try:
        while chunk := await connection.read():
            content += chunk
            if len(content) > MAX_REPLY_BYTES:
                raise UpstreamError("the Codex backend sent images over the size limit")
        reply: Any = orjson.loads(content)
    except Silence as error:
        raise UpstreamTimeout("the Codex backend stopped sending") from error
    except (ConnectionBroken, orjson.JSONDecodeError) as error:
        raise UpstreamError("the Codex backend broke off its answer") from error
    if not isinstance(reply, dict):
        raise UpstreamError("the Codex backend sent images in an unknown form")
    return reply  # pyright: ignore[reportUnknownVariableType]


async def _together(calls: Iterable[Coroutine[Any, Any, Json]]) -> list[Json]:
    """Return what the calls give; the first failure ends the others and is raised itself."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
