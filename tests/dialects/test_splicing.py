"""Deltas that are taken without decoding come out as those that are decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexia.codex.runs import pieces_in
from codexia.dialects.chat import CHAT
from codexia.dialects.dialect import Context
from codexia.dialects.messages import MESSAGES
from codexia.dialects.responses import RESPONSES
from codexia.errors import CodexiaError
from codexia.models import ModelTable
from codexia.sse import FrameSplitter, frames_in
from codexia_workers.stream import Turn

if TYPE_CHECKING:
    from codexia.dialects.dialect import Dialect, Translation

ASKED = [{"role": "user", "content": "hi"}]
BODIES: dict[str, dict[str, Any]] = {
    "messages": {"model": "gpt-5.5", "max_tokens": 9, "stream": True, "messages": ASKED},
    "chat": {"model": "gpt-5.5", "stream": True, "messages": ASKED},
    "responses": {"model": "gpt-5.5", "stream": True, "input": "hi", "store": False},
}
DIALECTS = {dialect.name: dialect for dialect in (MESSAGES, CHAT, RESPONSES)}
ITEM: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}

TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=6),
    st.sampled_from(
        ["word ", "w", "", '"', "\\", '\\"', "\n", "é", "\u2028", "\x7f", "\ud7ff", "🙂"]
    ),
)
ORDERS = st.sampled_from(
    [
        ("content_index", "delta", "item_id", "logprobs", "obfuscation", "output_index"),
        ("logprobs", "content_index", "item_id", "output_index", "delta", "obfuscation"),
        ("obfuscation", "delta", "content_index", "output_index"),
        ("delta", "output_index", "content_index"),
    ]
)
DELTAS = st.lists(
    st.tuples(TEXTS, st.sampled_from([0, 0, 0, 0, 1]), st.sampled_from(["aB3", "", "x-y"])),
    min_size=2,
    max_size=12,
)


def translation(dialect: Dialect) -> Translation:
    context = Context(ModelTable(("gpt-5.5",), "gpt-5.5", {}), "0" * 24, 1)
    return dialect.translate(BODIES[dialect.name], context)


def chunk(kind: str, number: int, **fields: Any) -> bytes:
    payload = orjson.dumps({"type": kind, **fields, "sequence_number": number})
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), payload)


def stream(
    deltas: list[tuple[str, int, str]], order: tuple[str, ...], first_number: int = 0
) -> list[bytes]:
    """Return a reply, chunk by chunk."""
    chunks = [
        chunk("response.created", first_number, response={"id": "resp_1", "status": "in_progress"}),
        chunk("response.output_item.added", first_number + 1, output_index=0, item=ITEM),
    ]
    for number, (text, part, decoy) in enumerate(deltas, first_number + 2):
        fields: dict[str, Any] = {
            "delta": text,
            "content_index": part,
            "output_index": 0,
            "item_id": "msg_1",
            "logprobs": [],
            "obfuscation": decoy,
        }
        kept: dict[str, Any] = {name: fields[name] for name in order}
        chunks.append(chunk("response.output_text.delta", number, **kept))
    last = first_number + len(deltas) + 2
    usage = {"input_tokens": 1, "output_tokens": 2}
    done = {"id": "resp_1", "status": "completed", "usage": usage}
    chunks.append(chunk("response.output_item.done", last, output_index=0, item=ITEM))
    chunks.append(chunk("response.completed", last + 1, response=done))
    return chunks


def answer(dialect: Dialect, chunks: list[bytes], *, splicing: bool) -> tuple[bytes, int]:
    """Return the client's stream, and how many deltas were not decoded for it."""
    translated = translation(dialect)
    reply, splitter, spliced = translated.reply, FrameSplitter(), 0
    assert translated.splice is not None
    answered = dialect.encode(reply.start())
    for each in chunks:
        events = splitter.complete(each)
        body = translated.splice(events) if splicing and events else None
        if body is not None:
            spliced += len(frames_in(events))
            answered += body
            continue
        try:
            for frame in frames_in(events):
                answered += dialect.encode(reply.feed(frame))
        except CodexiaError as error:
            answered += dialect.encode(reply.fail(error))
    return answered, spliced


def served(dialect: Dialect, chunks: list[bytes]) -> tuple[bytes, int]:
    """Return the client's stream as a worker makes it, and how much of it was not decoded."""
    translated = translation(dialect)
    turn, splitter, spliced = Turn(translated.reply, translated.splice), FrameSplitter(), 0
    answered = dialect.encode(translated.reply.start())
    for each in chunks:
        if not turn.ended:
            events = turn.feed(pieces_in(splitter.complete(each)))
            spliced += sum(len(event) for event in events if isinstance(event, bytes))
            answered += dialect.encode(events)
    return answered, spliced


@pytest.mark.parametrize("name", DIALECTS)
@given(deltas=DELTAS, order=ORDERS, first_number=st.sampled_from([0, 7]))
def test_spliced_stream_is_the_decoded_one(
    name: str, deltas: list[tuple[str, int, str]], order: tuple[str, ...], first_number: int
) -> None:
    chunks = stream(deltas, order, first_number)
    decoded, _ = answer(DIALECTS[name], chunks, splicing=False)
    assert answer(DIALECTS[name], chunks, splicing=True)[0] == decoded


@pytest.mark.parametrize("name", DIALECTS)
@given(data=st.data())
def test_changed_bytes_make_no_difference_either(name: str, data: st.DataObject) -> None:
    order = ("content_index", "delta", "item_id", "logprobs", "obfuscation", "output_index")
    chunks = stream([("word ", 0, "aB3")] * 6, order)
    victim = data.draw(st.integers(4, 7))
    content = bytearray(chunks[victim])
    at = data.draw(st.integers(0, len(content) - 1))
    some = st.binary(max_size=3) | st.sampled_from([b'"', b"\\", b"\n", b"\r", b"0", b"}", b","])
    content[at : at + data.draw(st.integers(0, 2))] = data.draw(some)
    chunks[victim] = bytes(content)
    decoded, _ = answer(DIALECTS[name], chunks, splicing=False)
    assert answer(DIALECTS[name], chunks, splicing=True)[0] == decoded
    assert served(DIALECTS[name], chunks)[0] == decoded


@pytest.mark.parametrize("name", DIALECTS)
def test_deltas_like_the_backends_are_spliced(name: str) -> None:
    order = ("content_index", "delta", "item_id", "logprobs", "obfuscation", "output_index")
    texts = ['"', *["word "] * 10, "line\n", *["word "] * 9]
    chunks = stream([(text, 0, "aB3") for text in texts], order)
    _, spliced = answer(DIALECTS[name], chunks, splicing=True)
    assert spliced >= 17


@pytest.mark.parametrize("name", DIALECTS)
def test_deltas_that_come_together_are_spliced_together(name: str) -> None:
    order = ("content_index", "delta", "item_id", "logprobs", "obfuscation", "output_index")
    chunks = stream([("word ", 0, "aB3")] * 30, order)
    together = [*chunks[:4], b"".join(chunks[4:20]), b"".join(chunks[20:28]), *chunks[28:]]
    _, spliced = answer(DIALECTS[name], together, splicing=True)
    assert spliced >= 24


@pytest.mark.parametrize("name", DIALECTS)
@given(deltas=DELTAS, order=ORDERS, data=st.data())
def test_chunks_need_not_end_where_events_do(
    name: str, deltas: list[tuple[str, int, str]], order: tuple[str, ...], data: st.DataObject
) -> None:
    whole = b"".join(stream(deltas, order))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    decoded, _ = answer(DIALECTS[name], [whole], splicing=False)
    assert answer(DIALECTS[name], pieces, splicing=True)[0] == decoded
    assert served(DIALECTS[name], pieces)[0] == decoded


@pytest.mark.parametrize("name", DIALECTS)
def test_answer_that_comes_in_one_read_is_spliced_where_it_is_deltas(name: str) -> None:
    order = ("content_index", "delta", "item_id", "logprobs", "obfuscation", "output_index")
    chunks = stream([("word ", 0, "aB3")] * 100, order)
    decoded, _ = answer(DIALECTS[name], chunks, splicing=False)
    together, spliced = served(DIALECTS[name], [b"".join(chunks)])
    assert together == decoded
    assert spliced > 0.8 * len(decoded)
