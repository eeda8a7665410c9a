"""What the calls of the control API have in common: bodies in, messages and JSON out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from codexia.errors import BadRequest, RequestTooLarge

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive

MAX_BODY_BYTES: Final = 64 * 1024
MAX_PROMPT_BYTES: Final = 256 * 1024 * 1024
"""Limit of a call that holds a client's prompt. Text within text has its quotes escaped twice."""

Message = TypeVar("Message", bound=BaseModel)


async def body_of(request: Request, max_bytes: int = MAX_BODY_BYTES) -> bytearray:
    """Return the whole body of a call.

    Raises:
        RequestTooLarge: it is larger than such a call can be.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise RequestTooLarge("the body is larger than a control call can be")
    return body


def message_of(kind: type[Message], body: bytearray) -> Message:
    """Return the message that a body is.

    Raises:
        BadRequest: it is not one of that kind.
    """
    try:
        return kind.model_validate_json(body or b"{}")
    except ValidationError as error:
        # The error holds the body, so its text is not passed on.
        raise BadRequest(f"the body is not a {kind.__name__}") from error


def json_response(content: bytes, status: int = 200) -> Response:
    """Return an answer of JSON that is encoded already."""
    return Response(content, status, media_type="application/json")


def limit_of(request: Request, default: int, maximum: int) -> int:
    """Return how many entries a call for a page wants.

    Raises:
        BadRequest: it says no such number.
    """
    text = request.query_params.get("limit", "")
    if not text:
        return default
    if not text.isdecimal() or not 1 <= int(text) <= maximum:
        raise BadRequest(f"limit must be a number from 1 to {maximum}", param="limit")
    return int(text)


async def until_gone(receive: Receive) -> None:
    """Return when the caller hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass
