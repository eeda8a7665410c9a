"""A stream that is not as it was sent ends a run of ours, and is noted of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from bench.judge import Judge, WrongStream
from tests.bench.streamed import TEXTS, chat_body, chunked, exchange, flow

if TYPE_CHECKING:
    from bench.job import Seen

RIGHT = chunked(*(chat_body(text, end=b"") for text in TEXTS), chat_body())

WRONG = {
    "a delta is missing": chunked(chat_body(*TEXTS[:2])),
    "a delta came twice": chunked(chat_body(*TEXTS, TEXTS[2])),
    "another text": chunked(chat_body(*TEXTS[:2], "w00000X ")),
    "broken off": RIGHT[:-1],
    "an error": [b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n"],
    "not HTTP": [b"hello\r\n\r\n"],
    "an event that is no JSON": chunked(chat_body(*TEXTS, end=b"data: {\n\n")),
}

ODD = {
    "deltas merged": chunked(chat_body("".join(TEXTS))),
    "deltas split": chunked(chat_body("w000000", " ", *TEXTS[1:])),
    "no terminal event": chunked(chat_body(*TEXTS, end=b"")),
    "events after the terminal one": chunked(chat_body(*TEXTS), b'data: {"choices": []}\n\n'),
}


def judged(pieces: list[bytes], *, strict: bool) -> Seen:
    judge = Judge(flow(strict=strict))
    judge.take(exchange(*pieces))
    return judge.seen()


def test_right_stream_is_counted_and_timed():
    seen = judged(RIGHT, strict=True)
    assert (seen.streams, seen.events, seen.notes) == (1, 3, {})
    assert seen.first_byte
    assert seen.ttft
    assert seen.gap
    assert seen.first_byte.p50_ms == pytest.approx(10)
    assert seen.ttft.p50_ms == pytest.approx(20)
    assert seen.gap.p50_ms == pytest.approx(10)
    assert seen.stretched == 2  # of more than twice 4 ms


@pytest.mark.parametrize("pieces", (WRONG | ODD).values(), ids=(WRONG | ODD).keys())
def test_stream_of_ours_must_be_right(pieces: list[bytes]):
    with pytest.raises(WrongStream):
        judged(pieces, strict=True)


@pytest.mark.parametrize("pieces", WRONG.values(), ids=WRONG.keys())
def test_wrong_stream_of_others_is_noted_and_does_not_count(pieces: list[bytes]):
    seen = judged(pieces, strict=False)
    assert seen.streams == 0
    assert [note.startswith("failed: ") for note in seen.notes] == [True]


@pytest.mark.parametrize(("note", "pieces"), ODD.items(), ids=ODD.keys())
def test_odd_stream_of_others_is_noted_and_counts(note: str, pieces: list[bytes]):
    seen = judged(pieces, strict=False)
    assert (seen.streams, seen.notes) == (1, {note: 1})


def test_missing_stream_is_missed():
    judge = Judge(flow(streams=2))
    judge.take(exchange(*RIGHT))
    with pytest.raises(WrongStream, match="1 streams, not 2"):
        judge.seen()


def test_line_ends_and_spaces_may_be_any_that_events_allow():
    content = chat_body(*TEXTS).replace(b"\n", b"\r\n").replace(b"data: ", b"data:")
    assert judged(chunked(b": hello\r\n\r\n", content), strict=True).streams == 1


def test_name_of_an_event_may_be_in_its_data_only():
    deltas = [{"type": "response.output_text.delta", "delta": text} for text in TEXTS]
    events = [*deltas, {"type": "response.completed"}]
    content = b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events)
    judge = Judge(flow().model_copy(update={"dialect": "responses"}))
    judge.take(exchange(*chunked(content)))
    assert judge.seen().streams == 1
