"""The Anthropic Messages dialect: `POST /v1/messages`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from codexia.dialects.dialect import Context, Dialect, Translation
from codexia.dialects.messages_collect import MessageCollector
from codexia.dialects.messages_events import PING
from codexia.dialects.messages_fields import Fields
from codexia.dialects.messages_request import messages_request
from codexia.dialects.messages_stream import EmptyReply, MessagesStream, ReplyPlan
from codexia.sse import named

if TYPE_CHECKING:
    from codexia.dialects.messages_request import MessagesRequest


def translate(body: dict[str, Any], context: Context) -> Translation:
    """Return the translation of a Messages body.

    `max_tokens: 0` only warms Anthropic's cache; it is answered here, without a request.

    Raises:
        BadRequest: the body cannot be served.
    """
    root = Fields(body)
    max_tokens = root.integer("max_tokens")
    if max_tokens < 0:
        raise root.refuse("max_tokens", "Input should be greater than or equal to 0")
    stream = root.maybe_flag("stream")
    request = messages_request(body, context.models, context.headers)
    plan = _plan(request, context)
    messages = MessagesStream(plan)
    return Translation(
        request=request.codex if max_tokens else None,
        reply=messages if max_tokens else EmptyReply(plan),
        collector=MessageCollector(),
        stream=stream,
        model=request.model.id,
        input_tokens=request.input_tokens,
        splice=messages.splice,
    )


def _plan(request: MessagesRequest, context: Context) -> ReplyPlan:
    return ReplyPlan(
        message_id=f"msg_{context.response_id}",
        request_id=f"req_{context.response_id}",
        model=request.requested_model,
        context_window=request.model.context_window,
        input_tokens=request.input_tokens,
        thinking=request.thinking,
        stop_sequences=request.stop_sequences,
        tool_names=request.tool_names,
        manages_context=request.manages_context,
    )


MESSAGES: Final = Dialect(
    name="messages", envelope="anthropic", translate=translate, encode=named, ping=PING
)
