"""Every fault, as a client sees it on the wire."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from codexia.simulator import BadFault

PRELUDE = ["response.created", "response.in_progress"]


def types(answer) -> list[str]:
    return [event["type"] for event in answer.events]


async def test_cut_ends_the_connection_after_some_events(backend):
    answer = await backend.respond("SAY[[hello]] FAULT[[cut after=3]]")
    assert answer.error is not None
    assert types(answer) == [*PRELUDE, "response.output_item.added"]
    assert answer.content.endswith(b"\n\n")


async def test_empty_answer_is_complete(backend):
    answer = await backend.respond("SAY[[hello]] FAULT[[empty]]")
    assert answer.error is None
    assert types(answer) == [*PRELUDE, "response.completed"]


async def test_cut_can_be_in_mid_frame(backend):
    answer = await backend.respond("FAULT[[cut after=2 mid=1]]")
    assert answer.error is not None
    assert answer.content.count(b"\n\n") == 2
    assert b"event: response.output_item.added\ndata: " in answer.content


async def test_cut_can_be_a_reset(backend, raw_post):
    async with raw_post(backend, "FAULT[[cut after=2 reset=1]]") as reader:
        with pytest.raises(ConnectionResetError):
            await reader.read(-1)


async def test_our_own_cut_is_no_disconnect(backend, until):
    await backend.respond("FAULT[[cut]]")
    stats = backend.simulator.stats
    await until(lambda: stats.open_streams == 0)
    assert (stats.disconnects, stats.responses_completed) == (0, 0)


async def test_cut_before_anything_has_headers_only(backend):
    answer = await backend.respond("FAULT[[cut after=0]]")
    assert (answer.status, answer.content) == (200, b"")
    assert answer.error is not None


async def test_stall_holds_the_stream_until_the_client_goes(backend, raw_post, until):
    stats = backend.simulator.stats
    async with raw_post(backend, "FAULT[[stall after=2]]") as reader:
        await reader.readuntil(b'"sequence_number":1}\n\n')
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.readuntil(b"event: ")
        assert stats.open_streams == 1
    await until(lambda: stats.open_streams == 0)
    assert stats.disconnects == 1


async def test_stall_for_a_time_goes_on(backend):
    answer = await backend.respond("SAY[[late]] FAULT[[stall after=3 for_s=0.05]]")
    assert answer.text == "late"


async def test_never_sends_no_headers(backend, raw_post, until):
    stats = backend.simulator.stats
    async with raw_post(backend, "FAULT[[never]]") as reader:
        await until(lambda: stats.open_streams == 1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.readexactly(1)
    await until(lambda: stats.open_streams == 0)
    assert (stats.disconnects, stats.responses_started) == (1, 0)


async def test_never_for_a_time_answers_late(backend):
    assert (await backend.respond("SAY[[late]] FAULT[[never for_s=0.05]]")).text == "late"


@pytest.mark.parametrize("size", [1, 7])
async def test_slice_writes_small_pieces_of_the_same_body(backend, raw_post, size):
    async with raw_post(backend, f"SAY[[ok]] FAULT[[slice size={size}]]") as reader:
        raw = await reader.readuntil(b"\r\n0\r\n\r\n")
    _, _, body = raw.partition(b"\r\n\r\n")
    lengths, content = [], b""
    while not body.startswith(b"0\r\n"):
        length, _, body = body.partition(b"\r\n")
        lengths.append(int(length, 16))
        content += body[: lengths[-1]]
        body = body[lengths[-1] + 2 :]
    assert max(lengths) == size
    assert content.count(b"\n\n") == 9
    assert b'"delta":"ok"' in content


async def test_truncate_ends_cleanly_without_a_terminal_event(backend):
    answer = await backend.respond("SAY[[hello]] FAULT[[truncate]]")
    assert (answer.text, answer.error) == ("hello", None)
    assert types(answer)[-1] == "response.output_item.done"
    assert backend.simulator.stats.responses_completed == 0


async def test_truncate_can_be_early(backend):
    answer = await backend.respond("FAULT[[truncate after=2]]")
    assert (types(answer), answer.error) == (PRELUDE, None)


async def test_garbage_is_one_line_that_is_no_json(backend):
    answer = await backend.respond("SAY[[hello]] FAULT[[garbage after=3]]")
    lines = [line[6:] for line in answer.content.split(b"\n") if line.startswith(b"data: ")]
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(lines[3])
    assert orjson.loads(lines[-1])["type"] == "response.completed"


@pytest.mark.parametrize(
    "code",
    [
        "server_is_overloaded",
        "rate_limit_exceeded",
        "context_length_exceeded",
        "server_error",
    ],
)
async def test_failure_in_the_prelude(backend, code):
    answer = await backend.respond(f"FAULT[[failed code={code}]]")
    assert types(answer) == [*PRELUDE, "response.failed"]
    assert answer.events[-1]["response"]["error"]["code"] == code
    assert answer.events[-1]["sequence_number"] == 2


async def test_failure_in_mid_stream(backend):
    answer = await backend.respond("SAY[[aaaaabbbbb]] FAULT[[failed code=server_error after=5]]")
    assert answer.text == "aaaaa"
    assert types(answer)[-1] == "response.failed"


async def test_failure_as_an_error_event(backend):
    answer = await backend.respond("FAULT[[failed shape=error]]")
    assert answer.events[-1]["type"] == "error"
    assert answer.events[-1]["error"]["code"] == "server_is_overloaded"


async def test_unknown_things_leave_the_known_ones_whole(backend):
    answer = await backend.respond("SAY[[hello world]] FAULT[[unknown]]")
    numbered = [event["sequence_number"] for event in answer.events if "sequence_number" in event]
    assert answer.text == "hello world"
    assert numbered == list(range(len(numbered)))
    assert {"codex.future", "response.hologram.delta"} < set(types(answer))
    assert types(answer)[-1] == "response.completed"
    assert all("x_future" in event for event in answer.events if "sequence_number" in event)


async def test_used_up_plan(backend):
    answer = await backend.respond("FAULT[[429 resets_in_seconds=60]]")
    error = answer.json["error"]
    assert answer.status == 429
    assert (error["type"], error["resets_in_seconds"]) == ("usage_limit_reached", 60)
    assert answer.headers["x-codex-primary-used-percent"] == "100"
    assert answer.headers["x-codex-primary-reset-after-seconds"] == "60"
    assert answer.headers["x-codex-primary-reset-at"] == str(error["resets_at"])


async def test_passing_limit(backend):
    answer = await backend.respond("FAULT[[429_transient try_again_in_s=2.5]]")
    assert (answer.status, answer.json["error"]["code"]) == (429, "rate_limit_exceeded")
    assert "try again in 2.5s" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("500", 500, "server_error"),
        ("502", 502, "server_error"),
        ("503", 503, "server_is_overloaded"),
        ("401", 401, "token_expired"),
        ("401 code=token_invalidated", 401, "token_invalidated"),
    ],
)
async def test_status_faults(backend, fault, status, code):
    answer = await backend.respond(f"FAULT[[{fault}]]")
    assert (answer.status, answer.json["error"]["code"]) == (status, code)


async def test_401_can_be_without_a_code(backend):
    answer = await backend.respond("FAULT[[401 code=unauthorized]]")
    assert (answer.status, answer.json) == (401, {"detail": "Unauthorized"})


async def test_404_has_no_code(backend):
    answer = await backend.respond("FAULT[[404]]")
    assert (answer.status, answer.json) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize("status", [403, 413])
async def test_pages_of_the_edge(backend, status):
    answer = await backend.respond(f"FAULT[[{status}]]")
    assert answer.status == status
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.content.startswith(b"<html>")


async def test_queued_fault_hits_only_the_next_requests(backend):
    backend.simulator.add_fault("503", count=2)
    statuses = [(await backend.respond()).status for _ in range(3)]
    assert statuses == [503, 503, 200]


async def test_refused_request_leaves_the_queue_alone(backend):
    backend.simulator.add_fault({"kind": "500"})
    refused = await backend.respond(store=True)
    assert (refused.status, (await backend.respond()).status) == (400, 500)


async def test_fault_applies_to_played_transcripts(backend):
    answer = await backend.respond("PLAY[[01_text]] FAULT[[truncate]]")
    assert (answer.text, types(answer)[-1]) == (
        "Hello! How can I help you today?",
        "response.output_item.done",
    )


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("explode", "does not match any of the expected tags"),
        ("cut after=soon", "after: Input should be a valid integer"),
        ("cut later=5", "later: Extra inputs are not permitted"),
        ({"after": 5}, "Unable to extract tag"),
        ({"kind": "slice", "size": 0}, "size: Input should be greater than or equal to 1"),
    ],
)
async def test_bad_faults_say_what_is_wrong(backend, fault, reason):
    with pytest.raises(BadFault, match="bad fault") as caught:
        backend.simulator.add_fault(fault)
    assert reason in str(caught.value)


async def test_bad_fault_in_a_prompt_is_refused(backend):
    answer = await backend.respond("FAULT[[explode]]")
    assert answer.status == 400
    assert "bad fault" in answer.json["detail"]


async def test_hundred_faulted_streams_at_once_leave_nothing_open(backend, until):
    faults = ["cut", "truncate", "garbage", "unknown", "failed"] * 20
    prompts = [f"STREAM[[deltas=50]] FAULT[[{fault}]]" for fault in faults]
    await asyncio.gather(*(backend.respond(prompt) for prompt in prompts))
    await until(lambda: backend.simulator.stats.open_streams == 0)
    assert backend.simulator.stats.responses_started == 100
