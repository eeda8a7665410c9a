"""Played transcripts, generated streams, and what is counted about them."""

from __future__ import annotations

import asyncio
import time
from importlib import resources

import pytest

from codexia.simulator import stream_text

TRANSCRIPTS = {
    entry.name: entry.read_bytes()
    for entry in resources.files("codexia.simulator").joinpath("transcripts").iterdir()
}
STREAMED = sorted(name for name in TRANSCRIPTS if name.endswith(".sse"))
PLAIN = sorted(name for name in TRANSCRIPTS if name.endswith(".http"))


@pytest.mark.parametrize("name", STREAMED)
async def test_transcript_is_played_byte_for_byte(backend, name):
    answer = await backend.respond(f"PLAY[[{name.removesuffix('.sse')}]]")
    assert answer.content == TRANSCRIPTS[name]


@pytest.mark.parametrize("name", PLAIN)
async def test_plain_transcript_has_its_status_headers_and_body(backend, name):
    head, _, body = TRANSCRIPTS[name].partition(b"\r\n\r\n")
    status_line, *lines = head.decode().splitlines()
    answer = await backend.respond(f"PLAY[[{name.removesuffix('.http')}]]")
    assert answer.status == int(status_line.split()[1])
    assert answer.content == body
    assert [answer.headers[line.split(":")[0]] for line in lines] == [
        line.partition(": ")[2] for line in lines
    ]


async def test_unknown_transcript_is_named(backend):
    answer = await backend.respond("PLAY[[99_none]]")
    assert answer.status == 400
    assert "no transcript 99_none" in answer.json["detail"]
    assert backend.rejection_kinds() == ["directive"]


@pytest.mark.parametrize(("deltas", "size"), [(0, 8), (1, 8), (3, 2), (300, 8), (40, 1000)])
async def test_generated_text_is_what_stream_text_says(backend, deltas, size):
    answer = await backend.respond(f"STREAM[[deltas={deltas} size={size}]]")
    assert answer.text == stream_text(deltas, size)
    assert answer.items[0]["content"][0]["text"] == stream_text(deltas, size)


async def test_stream_text_is_pinned():
    assert stream_text(3, 8) == "w000000 w000001 w000002 "
    assert stream_text(2, 10) == "w000000 ..w000001 .."
    assert stream_text(2, 2) == "w0w0"


async def test_generated_stream_has_its_items_and_reasoning(backend):
    answer = await backend.respond("STREAM[[deltas=2 reasoning=3 items=2]]")
    reasoning, commentary, final = answer.items
    assert reasoning["summary"][0]["text"] == stream_text(3, 8)
    assert (commentary["phase"], final["phase"]) == ("commentary", "final_answer")
    assert answer.text == stream_text(2, 8) * 2


@pytest.mark.parametrize("shape", ["deltas=-1", "deltas=x", "pace=3"])
async def test_bad_stream_shape_is_refused(backend, shape):
    answer = await backend.respond(f"STREAM[[{shape}]]")
    assert answer.status == 400
    assert "bad stream" in answer.json["detail"]


async def test_pacing_spaces_the_deltas(backend, raw_post):
    arrivals: list[float] = []
    async with raw_post(backend, "STREAM[[deltas=5 gap_ms=30]]") as reader:
        async with asyncio.timeout(10):
            while (line := await reader.readline()) != b"event: response.completed\n":
                if line == b"event: response.output_text.delta\n":
                    arrivals.append(time.monotonic())
    assert len(arrivals) == 5
    assert 0.1 <= arrivals[-1] - arrivals[0] < 1


async def test_speed_divides_the_pauses(backend):
    backend.simulator.settings.speed = 1000
    async with asyncio.timeout(5):
        answer = await backend.respond("STREAM[[deltas=10 gap_ms=1000]]")
    assert answer.text == stream_text(10, 8)


async def test_default_gap_paces_ordinary_answers(backend):
    backend.simulator.settings.gap_ms = 20
    started = time.monotonic()
    await backend.respond("SAY[[aaaaabbbbbccccc]]")
    assert time.monotonic() - started >= 0.06


async def test_whole_streams_are_counted(backend):
    await backend.respond()
    stats = backend.simulator.stats
    assert (stats.responses_started, stats.responses_completed) == (1, 1)
    assert (stats.open_streams, stats.disconnects) == (0, 0)
    assert stats.events_sent == 10


async def test_departed_client_is_counted_and_its_stream_closed(backend, raw_post, until):
    stats = backend.simulator.stats
    async with raw_post(backend, "STREAM[[deltas=1000 gap_ms=50]]") as reader:
        await reader.readuntil(b"response.output_text.delta")
        assert stats.open_streams == 1
    await until(lambda: stats.open_streams == 0)
    assert (stats.disconnects, stats.responses_completed) == (1, 0)


async def test_client_that_leaves_after_the_terminal_event_is_no_disconnect(
    backend, raw_post, until
):
    stats = backend.simulator.stats
    async with raw_post(backend, "hello") as reader:
        await reader.readuntil(b"event: response.completed")
    await until(lambda: stats.open_streams == 0)
    assert (stats.disconnects, stats.responses_completed) == (0, 1)


async def test_first_delta_has_its_own_pause(backend, raw_post):
    async with raw_post(backend, "STREAM[[deltas=3 gap_ms=60000 first_ms=0]]") as reader:
        await reader.readuntil(b"response.output_text.delta")
