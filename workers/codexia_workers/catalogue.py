"""`/v1/models` in both vendors' shapes, and in that of the backend's own catalogue."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.datastructures import QueryParams

from codexia.errors import BadRequest, NotFound
from codexia.models import MAX_OUTPUT_TOKENS
from codexia_workers.answers import envelope_of, send_json
from codexia_workers.serving import serving_of

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from codexia.models import Model, ModelTable
    from codexia_workers.worker import Worker

CREATED_AT: Final = 1767225600
"""2026-01-01; the backend's catalogue has no dates, and clients insist on one."""

TIMEOUT_S: Final = 10.0

DEFAULT_PAGE: Final = 20
MAX_PAGE: Final = 1000


class ListModels:
    """`GET /v1/models`; Anthropic's clients page through it.

    Aliases are listed too: Claude Code offers only names that begin with `claude`, which no
    model of the backend does.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve one request."""
        serving = serving_of(scope, self._worker.serving)
        allowed = serving.models_of(scope["state"]["key_name"])
        models = serving.models.offered()
        if allowed is not None:
            # An alias is listed for those who may use what it means.
            models = [each for each in models if serving.models.resolve(each.id).id in allowed]
        query = QueryParams(scope["query_string"])
        if envelope_of(scope) == "openai" and "client_version" in query:
            await send_json(scope, send, await self._catalogue(models, serving.models))
            return
        if envelope_of(scope) == "openai":
            data = [_openai_model(model) for model in models]
            await send_json(scope, send, {"object": "list", "data": data})
            return
        page, has_more = _page(models, query)
        payload = {
            "data": [_anthropic_model(model) for model in page],
            "has_more": has_more,
            "first_id": page[0].id if page else None,
            "last_id": page[-1].id if page else None,
        }
        await send_json(scope, send, payload)

    async def _catalogue(self, models: list[Model], table: ModelTable) -> dict[str, Any]:
        """Return the models as Codex CLI asks the backend for them.

        It believes what it gets over what it was built with, instructions included, so these are
        the backend's own entries or none.

        Raises:
            NotFound: the account's catalogue is not known; the client goes by its own.
            SupervisorUnavailable: the supervisor does not answer.
        """
        status, content = await self._worker.supervisor.call("GET", "/catalogue", b"", TIMEOUT_S)
        if status != 200:
            raise NotFound("the account's catalogue is not known yet", code="not_found")
        entries: dict[str, Any] = {
            entry["slug"]: entry for entry in orjson.loads(content)["models"]
        }
        offered = ((model.id, table.resolve(model.id).id) for model in models)
        told = [
            {**entries[model_id], "slug": name} for name, model_id in offered if model_id in entries
        ]
        return {"models": told}


class GetModel:
    """`GET /v1/models/{id}`; ids may hold slashes."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Serve one request.

        Raises:
            NotFound: no listed model and no alias has this name.
        """
        name = scope["path_params"]["model_id"]
        serving = serving_of(scope, self._worker.serving)
        table, allowed = serving.models, serving.models_of(scope["state"]["key_name"])
        model = table.resolve(name)
        if model.id not in table.ids or (allowed is not None and model.id not in allowed):
            raise NotFound(
                f"the model '{name}' does not exist", code="model_not_found", param="model"
            )
        shape = _openai_model if envelope_of(scope) == "openai" else _anthropic_model
        await send_json(scope, send, {**shape(model), "id": name})


def _page(models: list[Model], query: QueryParams) -> tuple[list[Model], bool]:
    ids = [model.id for model in models]
    try:
        limit = int(query.get("limit", DEFAULT_PAGE))
        after = ids.index(query["after_id"]) + 1 if "after_id" in query else 0
        before = ids.index(query["before_id"]) if "before_id" in query else len(ids)
    except ValueError as error:
        raise BadRequest("limit must be a number, after_id and before_id listed ids") from error
    if not 1 <= limit <= MAX_PAGE:
        raise BadRequest(f"limit: must be from 1 to {MAX_PAGE}", param="limit")
    if "before_id" in query:
        after = max(after, before - limit)
    page = models[after:before][:limit]
    has_more = after > 0 if "before_id" in query else after + limit < before
    return page, has_more


def _openai_model(model: Model) -> dict[str, Any]:
    return {
        "id": model.id,
        "object": "model",
        "created": CREATED_AT,
        "owned_by": "openai-codex",
        "context_window": model.context_window,
    }


def _anthropic_model(model: Model) -> dict[str, Any]:
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": datetime.fromtimestamp(CREATED_AT, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "active",
        "max_input_tokens": model.context_window,
        "max_tokens": MAX_OUTPUT_TOKENS,
        "capabilities": None,
        "deprecated_at": None,
        "retires_at": None,
        "line": None,
    }
