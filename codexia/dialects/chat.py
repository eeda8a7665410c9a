"""Chat Completions: https://platform.openai.com/docs/api-reference/chat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from codexia import sse
from codexia.dialects.chat_collect import ChatCollector
from codexia.dialects.chat_request import read_chat_request
from codexia.dialects.chat_stream import ChatStream
from codexia.dialects.dialect import Dialect, Translation

if TYPE_CHECKING:
    from codexia.dialects.dialect import Context


def translate(body: dict[str, Any], context: Context) -> Translation:
    """Return the translation of one Chat Completions request.

    Raises:
        BadRequest: the body is malformed or asks for what the backend cannot do.
    """
    request = read_chat_request(body, context.models, context.headers)
    reply = ChatStream(
        completion_id=f"chatcmpl-{context.response_id}",
        created=context.created_at,
        model=request.requested_model,
        include_usage=request.include_usage or not request.stream,
        stop=request.stop,
        legacy_functions=request.legacy_functions,
    )
    return Translation(
        request=request.codex,
        reply=reply,
        collector=ChatCollector(),
        stream=request.stream,
        model=request.codex.body["model"],
        splice=reply.splice,
    )


CHAT: Final = Dialect(
    name="chat",
    envelope="openai",
    translate=translate,
    encode=sse.unnamed,
    ping=sse.COMMENT_PING,
)
