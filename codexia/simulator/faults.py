"""The faults that can be asked for: their names, their parameters, their checks.

In a prompt: `FAULT[[cut after=5]]`. Over HTTP or from Python: `{"kind": "cut", "after": 5}`
or the same text. `after` counts events from the start of the stream; the first two,
`response.created` and `response.in_progress`, come before any content.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from codexia.simulator.directives import pairs

Events = Annotated[int, Field(ge=0, le=1_000_000)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]


class BadFault(ValueError):
    """No such fault, or not with these parameters."""


class _Fault(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Cut(_Fault):
    """The connection dies after some events; `mid`: inside the next one; `reset`: by a RST."""

    kind: Literal["cut"]
    after: Events = 3
    mid: bool = False
    reset: bool = False


class Stall(_Fault):
    """Some events, then nothing until the client goes, or for `for_s` and then the rest."""

    kind: Literal["stall"]
    after: Events = 3
    for_s: Seconds | None = None


class Never(_Fault):
    """No response headers until the client goes, or for `for_s` and then the answer."""

    kind: Literal["never"]
    for_s: Seconds | None = None


class Slice(_Fault):
    """The body comes in pieces of `size` bytes, each written by itself."""

    kind: Literal["slice"]
    size: Annotated[int, Field(ge=1, le=1_000_000)] = 1


class Truncate(_Fault):
    """The body ends cleanly without a terminal event; `after`: already after so many events."""

    kind: Literal["truncate"]
    after: Events | None = None


class Garbage(_Fault):
    """After some events a `data:` line that is no JSON; the rest follows."""

    kind: Literal["garbage"]
    after: Events = 3


class Failed(_Fault):
    """A `response.failed` (or an `error` event) instead of the rest.

    After 2 events it precedes all content, so that a gateway can still answer with a status.
    """

    kind: Literal["failed"]
    code: str = "server_is_overloaded"
    after: Events = 2
    shape: Literal["failed", "error"] = "failed"


class Empty(_Fault):
    """The answer is complete and there is nothing in it: its beginning, then its end."""

    kind: Literal["empty"]


class Unknown(_Fault):
    """Events, fields and an item that no client knows are strewn in; harmless."""

    kind: Literal["unknown"]


class UsageLimit(_Fault):
    """429 of a used-up plan, with the `x-codex-*` headers."""

    kind: Literal["429"]
    resets_in_seconds: Annotated[int, Field(ge=0)] = 13_873
    plan_type: str = "plus"


class RateLimit(_Fault):
    """429 of a passing limit; the text tells when to try again."""

    kind: Literal["429_transient"]
    try_again_in_s: Seconds = 1.898


class ServerError(_Fault):
    """A 5xx of the backend; 503 says that it is overloaded."""

    kind: Literal["500", "502", "503"]


class Unauthorized(_Fault):
    """401; `unauthorized` as code gives the form without one."""

    kind: Literal["401"]
    code: Literal["token_expired", "token_invalidated", "token_revoked", "unauthorized"] = (
        "token_expired"
    )


class Missing(_Fault):
    """404, as for a path that the backend does not have."""

    kind: Literal["404"]


class Cloudflare(_Fault):
    """A page of the edge: a 403 challenge or a 413."""

    kind: Literal["403", "413"]


class Handshake(_Fault):
    """The next upgrade to a WebSocket is answered with this status instead."""

    kind: Literal["handshake"]
    status: Literal[401, 403, 426, 500, 503] = 426


class SocketLimit(_Fault):
    """A message on a WebSocket finds that the socket is past its 60 minutes."""

    kind: Literal["socket_limit"]


class Forgotten(_Fault):
    """A message on a WebSocket that goes on from a response finds that one forgotten."""

    kind: Literal["forgotten"]


class SocketClose(_Fault):
    """A message on a WebSocket gets some events, and then the socket is closed with a code."""

    kind: Literal["socket_close"]
    code: Annotated[int, Field(ge=1000, le=4999)] = 1011
    after: Events = 0


SocketFault = Handshake | SocketLimit | Forgotten | SocketClose
"""Faults that only a WebSocket meets; they are queued apart from the others."""

HttpFault = UsageLimit | RateLimit | ServerError | Unauthorized | Missing | Cloudflare
Fault = Cut | Stall | Never | Slice | Truncate | Garbage | Failed | Empty | Unknown | HttpFault

_AnyFault = Fault | SocketFault

_FAULT: TypeAdapter[_AnyFault] = TypeAdapter(Annotated[_AnyFault, Field(discriminator="kind")])


def parse_fault(fault: str | dict[str, Any]) -> Fault | SocketFault:
    """Return the fault that a text (`cut after=5`) or an object names.

    Raises:
        BadFault: if there is none of that name, or a parameter is wrong.
    """
    if isinstance(fault, str):
        kind, _, rest = fault.strip().partition(" ")
        fault = {"kind": kind, **pairs(rest)}
    try:
        return _FAULT.validate_python(fault)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = [str(step) for step in problem["loc"][1:]]
        raise BadFault(": ".join(["bad fault", *where, problem["msg"]])) from error
