"""What a dialect is to the worker that serves it.

A request is translated once, which gives the backend's request and the object that turns
the reply's frames into client events. The worker pumps; it never looks inside. An answer
that is not streamed is collected from the same events, so both ways agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from codexia.codex.request import CodexRequest
    from codexia.codex.usage import Usage
    from codexia.errors import CodexiaError, Envelope
    from codexia.models import ModelTable
    from codexia.sse import Encodable, Event, Frame


Splice: TypeAlias = "Callable[[bytes], bytes | None]"
"""As `Translation.splice` says."""


class ReplyStream(Protocol):
    """Backend frames in, client events out; one object per response.

    `start` is called once, when the backend has begun to answer, and before any other.
    `feed` takes the frames, prelude included, until `ended`. If the reply breaks off before
    that, or `feed` raises, `fail` is called once. Either way the events taken together are a
    complete stream of the dialect with exactly one terminal event.

    Attributes:
        ended: the reply is over for this client; nothing more need be read.
        usage: token counts, zeros until the backend told them.
        served_model: the model that the backend says it used, "" until it told.
    """

    ended: bool
    usage: Usage
    served_model: str

    def start(self) -> list[Event]:
        """Return the events that open the stream."""
        ...

    def feed(self, frame: Frame) -> list[Event]:
        """Return the events that one frame causes, maybe none.

        Raises:
            CodexiaError: the frame is the backend's own failure.
        """
        ...

    def fail(self, error: CodexiaError) -> list[Event]:
        """Return the events that end a stream which broke off."""
        ...


class Collector(Protocol):
    """Client events in, one complete answer out."""

    def add(self, event: Event) -> None:
        """Take one event of a `ReplyStream`."""
        ...

    def result(self) -> dict[str, Any]:
        """Return the body of the answer that is not streamed."""
        ...


@dataclass(frozen=True, slots=True)
class PreviousResponse:
    """A stored response that a request goes on from.

    Attributes:
        items: its input and its output, in the Responses dialect.
        session_key: of the conversation so far.
    """

    items: Sequence[dict[str, Any]] = field(repr=False)
    session_key: str


@dataclass(frozen=True, slots=True)
class Context:
    """What a translation may know beside the body.

    Attributes:
        models: names and facts of the models on offer.
        response_id: random, unique, hexadecimal; ids of the answer are made from it.
        created_at: unix seconds.
        headers: the client's request headers, lower-case names.
        previous: what `previous_response_id` names; None where that is absent or unknown.
        referenced: the stored items that the input refers to, by id; unknown ones are not in it.
    """

    models: ModelTable
    response_id: str
    created_at: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    previous: PreviousResponse | None = None
    referenced: Mapping[str, dict[str, Any]] = field(
        default_factory=dict[str, dict[str, Any]], repr=False
    )


@dataclass(frozen=True, slots=True)
class Translation:
    """One request, translated.

    Attributes:
        request: what goes to the backend; None where the answer needs no model.
        reply: turns its frames into client events.
        collector: makes the whole answer of those events.
        stream: whether the client asked for a stream.
        model: the backend's model id, after aliases and fallback.
        input_tokens: size of the prompt, estimated; 0 where the dialect has no use for it.
        store: whether the client may come back to the answer.
        splice: takes the text of whole events of the backend, and gives the bytes that `reply.feed`
            and the dialect's encoding would make of them; None where they are to.
    """

    request: CodexRequest | None
    reply: ReplyStream
    collector: Collector
    stream: bool
    model: str
    input_tokens: int = 0
    store: bool = False
    splice: Splice | None = None


@dataclass(frozen=True, slots=True)
class Dialect:
    """One of the client-facing protocols.

    Attributes:
        name: for logs and counters.
        envelope: which error object its errors are rendered in.
        translate: decoded JSON body and context to a `Translation`; raises `BadRequest`.
        encode: client events to the bytes of the stream.
        ping: bytes that keep an idle stream alive without meaning anything.
        continues: whether a request may go on from a stored answer.
    """

    name: str
    envelope: Envelope
    translate: Callable[[dict[str, Any], Context], Translation]
    encode: Callable[[Iterable[Encodable]], bytes]
    ping: bytes
    continues: bool = False
