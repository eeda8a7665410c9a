"""Counting tokens: one request in, one number out, without the backend and without a login.

The tokenizer takes too much memory to be in every worker; the supervisor has the only one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codexia.codex.token_parts import token_parts
from codexia.control import TokenCountRequest
from codexia_workers.answers import send_json
from codexia_workers.body import read_json
from codexia_workers.generate import context_of
from codexia_workers.request_record import record_of

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from codexia.dialects.token_counts import TokenCountDialect
    from codexia_workers.worker import Worker


class CountTokens:
    """The ASGI app of one dialect's counting endpoint."""

    def __init__(self, worker: Worker, dialect: TokenCountDialect) -> None:
        self._worker = worker
        self._dialect = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request.

        Raises:
            CodexiaError: the request is at fault, or nobody is there to count.
        """
        record = record_of(scope)
        record.name = self._dialect.name
        payload = await read_json(scope, receive)
        context = context_of(scope, self._worker)
        context = await self._worker.responses.recall(payload, scope, context)
        request = self._dialect.request(payload, context)
        record.model = request.body["model"]
        parts = token_parts(request.body)
        counting = TokenCountRequest(texts=parts.texts, tools=parts.tools)
        tokens = parts.counted_tokens + await self._worker.count_tokens(counting)
        await send_json(scope, send, self._dialect.answer(payload, tokens))
        record.further["counted_tokens"] = tokens
