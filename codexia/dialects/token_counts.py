"""Counting the tokens of a request that is not sent.

`/v1/messages/count_tokens` and `/v1/responses/input_tokens`. The body is read as
that of the generating endpoint, so what is counted is what would be sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from codexia.dialects.messages_request import messages_request
from codexia.dialects.responses_request import read_responses_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from codexia.codex.request import CodexRequest
    from codexia.dialects.dialect import Context


@dataclass(frozen=True, slots=True)
class TokenCountDialect:
    """One of the protocols that can ask for a count.

    Attributes:
        name: for logs.
        request: decoded JSON body and context to the backend's request; raises `BadRequest`.
        answer: the body and its tokens to the body of the answer.
    """

    name: str
    request: Callable[[dict[str, Any], Context], CodexRequest]
    answer: Callable[[dict[str, Any], int], dict[str, Any]]


def _messages_request(body: dict[str, Any], context: Context) -> CodexRequest:
    return messages_request(body, context.models, context.headers).codex


def _messages_answer(body: dict[str, Any], tokens: int) -> dict[str, Any]:
    answer: dict[str, Any] = {"input_tokens": tokens}
    if body.get("context_management") is not None:
        # No edit is made here, so the count before them is the same.
        answer["context_management"] = {"original_input_tokens": tokens}
    return answer


def _responses_request(body: dict[str, Any], context: Context) -> CodexRequest:
    return read_responses_request(body, context).codex


def _responses_answer(_: dict[str, Any], tokens: int) -> dict[str, Any]:
    return {"object": "response.input_tokens", "input_tokens": tokens}


MESSAGES_COUNT: Final = TokenCountDialect("messages", _messages_request, _messages_answer)
RESPONSES_COUNT: Final = TokenCountDialect("responses", _responses_request, _responses_answer)
