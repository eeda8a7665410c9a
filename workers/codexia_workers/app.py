"""The worker's ASGI app: which path is served by what."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.routing import Route, Router, WebSocketRoute

from codexia import __version__
from codexia.dialects.chat import CHAT
from codexia.dialects.messages import MESSAGES
from codexia.dialects.responses import RESPONSES
from codexia.dialects.token_counts import MESSAGES_COUNT, RESPONSES_COUNT
from codexia.errors import MethodNotAllowed, NotFound, UpgradeRequired
from codexia_workers.access_log import AccessLog
from codexia_workers.answers import identity_headers, send_json
from codexia_workers.batch_runner import BatchRunner
from codexia_workers.catalogue import GetModel, ListModels
from codexia_workers.compact import Compact
from codexia_workers.count_tokens import CountTokens
from codexia_workers.file_resources import Files
from codexia_workers.gate import Gate
from codexia_workers.generate import Generate
from codexia_workers.images import GenerateImages
from codexia_workers.lifeline import exit_with
from codexia_workers.local_auth import Protected
from codexia_workers.message_batches import MessageBatches
from codexia_workers.metrics import Metrics
from codexia_workers.openai_batches import OpenAIBatches
from codexia_workers.recorder import Recorder
from codexia_workers.refresh_login import RefreshLogin
from codexia_workers.request_memory import RequestMemory
from codexia_workers.response_resources import (
    CancelResponse,
    DeleteResponse,
    GetResponse,
    ListInputItems,
)
from codexia_workers.sockets import Sockets
from codexia_workers.status import Status
from codexia_workers.websocket import ResponsesSocket
from codexia_workers.worker import Worker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import ASGIApp, Receive, Scope, Send

    from codexia.control import GenerationSpec


def create_app(spec: GenerationSpec) -> ASGIApp:
    """Return the app of one worker of a generation."""
    worker = Worker(spec)
    sockets = Sockets()
    runner = BatchRunner(worker)
    message_batches = MessageBatches(worker)
    files = Files(worker)
    batches = OpenAIBatches(worker)

    async def leave() -> None:
        worker.accepting.stop()
        await asyncio.gather(sockets.close_all(), runner.leave())

    def protected(path: str, **methods: ASGIApp) -> Route:
        return Route(path, Protected(ByMethod(**methods), worker))

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncGenerator[None]:
        async with worker, asyncio.TaskGroup() as group:
            tasks = (
                group.create_task(worker.watch()),
                group.create_task(worker.observed.run()),
                group.create_task(worker.admission.run()),
                group.create_task(worker.breathing.run()),
                group.create_task(worker.recordings.run()),
                group.create_task(runner.run()),
                group.create_task(exit_with(spec.generation_socket, leave)),
            )
            yield
            for task in tasks:
                task.cancel()
            await worker.observed.tell()

    router = Router(
        [
            # They are tried one after the other; first what nearly everybody asks for.
            protected("/v1/messages", POST=Generate(worker, MESSAGES)),
            protected("/v1/chat/completions", POST=Generate(worker, CHAT)),
            protected("/v1/responses", POST=Generate(worker, RESPONSES), GET=_only_upgraded),
            Route("/health", ByMethod(GET=_health)),
            # Claude Code asks for one of these before its first request, without a key.
            Route("/", ByMethod(HEAD=_empty)),
            Route("/api/hello", ByMethod(HEAD=_empty)),
            protected("/v1/messages/count_tokens", POST=CountTokens(worker, MESSAGES_COUNT)),
            protected(
                "/v1/messages/batches", POST=message_batches.create, GET=message_batches.list
            ),
            protected(
                "/v1/messages/batches/{batch_id}",
                GET=message_batches.get,
                DELETE=message_batches.delete,
            ),
            protected("/v1/messages/batches/{batch_id}/cancel", POST=message_batches.cancel),
            protected("/v1/messages/batches/{batch_id}/results", GET=message_batches.results),
            WebSocketRoute("/v1/responses", Protected(ResponsesSocket(worker, sockets), worker)),
            protected("/v1/responses/compact", POST=Compact(worker)),
            protected("/v1/responses/input_tokens", POST=CountTokens(worker, RESPONSES_COUNT)),
            # After the paths under it that have a name of their own.
            protected(
                "/v1/responses/{response_id}",
                GET=GetResponse(worker),
                DELETE=DeleteResponse(worker),
            ),
            protected("/v1/responses/{response_id}/cancel", POST=CancelResponse(worker)),
            protected("/v1/responses/{response_id}/input_items", GET=ListInputItems(worker)),
            protected("/v1/images/generations", POST=GenerateImages(worker)),
            protected("/v1/files", POST=files.create, GET=files.list),
            protected("/v1/files/{file_id}", GET=files.get, DELETE=files.delete),
            protected("/v1/files/{file_id}/content", GET=files.content),
            protected("/v1/batches", POST=batches.create, GET=batches.list),
            protected("/v1/batches/{batch_id}", GET=batches.get),
            protected("/v1/batches/{batch_id}/cancel", POST=batches.cancel),
            protected("/v1/auth/refresh", POST=RefreshLogin(worker)),
            protected("/v1/status", GET=Status(worker)),
            protected("/metrics", GET=Metrics(worker)),
            protected("/v1/models", GET=ListModels(worker)),
            protected("/v1/models/{model_id:path}", GET=GetModel(worker)),
        ],
        redirect_slashes=False,
        default=_nothing_here,
        lifespan=lifespan,
    )
    bodies = RequestMemory(
        Gate(router, worker), lambda: worker.serving.snapshot.max_request_memory_mb
    )
    return AccessLog(Recorder(bodies, worker), worker)


class ByMethod:
    """The apps of one path, by HTTP method; HEAD is answered like GET, without the body."""

    def __init__(self, **methods: ASGIApp) -> None:
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            MethodNotAllowed: the path has no such method.
        """
        method = scope["method"]
        app = self._methods.get(method) or (self._methods.get("GET") if method == "HEAD" else None)
        if app is None:
            served = ", ".join(sorted(self._methods))
            raise MethodNotAllowed(f"{method} is not served at {scope['path']}, only {served}")
        await app(scope, receive, send)


async def _health(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
    await send_json(scope, send, {"status": "ok", "service": "codexia", "version": __version__})


async def _empty(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
    headers = [(b"content-length", b"0"), *identity_headers(scope)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _only_upgraded(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
    # A proxy that strips the upgrade brings a WebSocket client here. Codex CLI goes on with POST
    # when it reads 426; at any other status it tries seven times first.
    raise UpgradeRequired("GET at /v1/responses is a WebSocket; upgrade, or use POST")


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
    raise NotFound(f"nothing is served at {scope['path']}", code="not_found")
