"""The messages of the backend's WebSocket: the request that goes out, the events that come in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from codexia.codex.payload import child_at, text_at
from codexia.sse import Frame

if TYPE_CHECKING:
    from codexia.codex.payload import Json
    from codexia.codex.request import CodexRequest

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024 - 1
"""The backend closes the socket, with `TOO_BIG`, over any message from 16 MiB on."""

TOO_BIG: Final = 1009

METADATA_EVENT: Final = "codex.response.metadata"
"""Says before a response what the headers of a POST's answer say."""

FORGOTTEN: Final = "previous_response_not_found"
EXPIRED: Final = "websocket_connection_limit_reached"
"""A socket is good for 60 minutes."""

LITE_HEADER: Final = "x-openai-internal-codex-responses-lite"
RENAMED_HEADERS: Final = {
    LITE_HEADER: "ws_request_header_x_openai_internal_codex_responses_lite",
}
SOCKET_HEADERS: Final = frozenset({"thread-id", "x-client-request-id"})
"""Client headers that go with the upgrade; all others are of a turn and go with its message."""

_TYPE_FIRST: Final = b'{"type":"'


def create_message(request: CodexRequest, covered: int = 0, previous_id: str = "") -> Json:
    """Return the message that asks for a response.

    Args:
        request: what is asked.
        covered: how many items of its input the backend has already.
        previous_id: of the response that it has them by.
    """
    message: Json = {"type": "response.create", **request.body}
    told = {
        RENAMED_HEADERS.get(name, name): value
        for name, value in request.headers.items()
        if name not in SOCKET_HEADERS
    }
    if told:
        message["client_metadata"] = {**child_at(message, "client_metadata"), **told}
    if covered:
        message["input"] = request.body["input"][covered:]
        message["previous_response_id"] = previous_id
    return message


def frame_of(message: bytes) -> Frame:
    """Return a message as a frame; the event's name is its `type`.

    What is no JSON reads as an error, which whoever decodes it then finds it to be.
    """
    if message.startswith(_TYPE_FIRST):
        end = message.find(b'"', len(_TYPE_FIRST))
        name = message[len(_TYPE_FIRST) : end]
        if end > 0 and b"\\" not in name:
            return Frame(name.decode("utf-8", "replace"), message)
    try:
        payload: Any = orjson.loads(message)
    except orjson.JSONDecodeError:
        return Frame("error", message)
    # JSON objects have no other keys than strings.
    return Frame(
        text_at(cast("Json", payload), "type") if isinstance(payload, dict) else "", message
    )


def headers_in(payload: Json) -> dict[str, str]:
    """Return the headers that an event brings, names in lower case."""
    return {
        name.lower(): value
        for name, value in child_at(payload, "headers").items()
        if isinstance(value, str)
    }


def error_code(payload: Json) -> str:
    """Return the code of an `error` event, "" where it has none."""
    return text_at(child_at(payload, "error"), "code")


def response_id(payload: Json) -> str:
    """Return the id of the response that an event tells of."""
    return text_at(child_at(payload, "response"), "id")
