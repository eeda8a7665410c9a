"""Responses: https://platform.openai.com/docs/api-reference/responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from codexia import sse
from codexia.dialects.dialect import Dialect, Translation
from codexia.dialects.responses_collect import ResponsesCollector
from codexia.dialects.responses_request import read_responses_request
from codexia.dialects.responses_stream import ResponsesStream

if TYPE_CHECKING:
    from codexia.dialects.dialect import Context


def translate(body: dict[str, Any], context: Context) -> Translation:
    """Return the translation of one Responses request.

    Raises:
        BadRequest: the body is malformed or asks for what the backend cannot do.
    """
    request = read_responses_request(body, context)
    reply = ResponsesStream(
        response_id=f"resp_{context.response_id}",
        created_at=context.created_at,
        model=request.requested_model,
        echo=request.echo,
    )
    return Translation(
        request=request.codex,
        reply=reply,
        collector=ResponsesCollector(),
        stream=request.stream,
        model=request.codex.body["model"],
        store=request.store,
        splice=reply.splice,
    )


RESPONSES: Final = Dialect(
    name="responses",
    envelope="openai",
    translate=translate,
    encode=sse.named,
    ping=sse.COMMENT_PING,
    continues=True,
)
