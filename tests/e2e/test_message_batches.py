"""`/v1/messages/batches` with Anthropic's own SDK, and with requests that it would not send."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import anthropic
import httpx
import orjson
import pytest
import zstandard

from tests.e2e.batches import ended, messages_request
from tests.e2e.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.processes import Gateway, Simulator

PATH = "/v1/messages/batches"
SLOW = "STREAM[[deltas=40 gap_ms=100]]"


@pytest.fixture(scope="module")
def gateway_environment() -> dict[str, str]:
    return {"CODEXIA_BATCH_CONCURRENCY": "4"}


@pytest.fixture
def client(gateway: Gateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gateway.url, api_key="local", max_retries=0) as client:
        yield client


def create(client: anthropic.Anthropic, *requests: dict[str, Any]) -> Any:
    return client.messages.batches.create(requests=requests)


def test_batch_runs_to_its_results(client: anthropic.Anthropic, gateway: Gateway):
    batch = create(client, *(messages_request(f"id-{n}", f"SAY[[number {n}]]") for n in range(20)))
    assert batch.processing_status == "in_progress"
    assert batch.request_counts.processing == 20
    assert batch.results_url is None
    done = ended(client, batch.id)
    assert done.request_counts.to_dict() == {
        "processing": 0,
        "succeeded": 20,
        "errored": 0,
        "canceled": 0,
        "expired": 0,
    }
    assert done.results_url == f"{gateway.url}{PATH}/{batch.id}/results"
    texts = {
        line.custom_id: line.result.message.content[0].text
        for line in client.messages.batches.results(batch.id)
    }
    assert texts == {f"id-{n}": f"number {n}" for n in range(20)}


async def test_async_client(gateway: Gateway, client: anthropic.Anthropic):
    asynchronous = anthropic.AsyncAnthropic(base_url=gateway.url, api_key="local", max_retries=0)
    async with asynchronous:
        batches = asynchronous.messages.batches
        batch = await batches.create(requests=[messages_request("only", "SAY[[here]]")])
        ended(client, batch.id)
        lines = [line async for line in await batches.results(batch.id)]
        assert [line.custom_id for line in lines] == ["only"]
        listed = [each.id async for each in batches.list(limit=1)]
        assert batch.id in listed
        assert (await batches.delete(batch.id)).type == "message_batch_deleted"


def test_a_request_at_fault_is_errored_and_the_others_succeed(client: anthropic.Anthropic):
    batch = create(
        client,
        messages_request("good", "SAY[[fine]]"),
        {"custom_id": "bad", "params": {"model": "gpt-5.5", "messages": []}},
    )
    counts = ended(client, batch.id).request_counts
    assert (counts.succeeded, counts.errored) == (1, 1)
    results = {line.custom_id: line.result for line in client.messages.batches.results(batch.id)}
    assert results["good"].type == "succeeded"
    assert results["bad"].type == "errored"
    assert results["bad"].error.type == "error"
    assert results["bad"].error.error.type == "invalid_request_error"
    assert results["bad"].error.request_id.startswith("req_")


def test_list_pages_both_ways(client: anthropic.Anthropic):
    ids = [create(client, messages_request("only", "SAY[[x]]")).id for _ in range(5)][::-1]
    listed = [batch.id for batch in client.messages.batches.list(limit=2)]
    assert listed[:5] == ids
    after = [batch.id for batch in client.messages.batches.list(limit=2, after_id=ids[1])]
    assert after[:3] == ids[2:]
    before = client.messages.batches.list(limit=2, before_id=ids[4])
    assert [batch.id for batch in before.data] == ids[2:4]
    assert before.has_more
    assert {batch.id for batch in before} == set(ids[:4])
    for batch_id in ids:
        ended(client, batch_id)


def test_cancel_lets_what_runs_finish(client: anthropic.Anthropic):
    batch = create(client, *(messages_request(f"id-{n}", SLOW) for n in range(12)))
    canceled = client.messages.batches.cancel(batch.id)
    assert canceled.processing_status in {"canceling", "ended"}
    assert canceled.cancel_initiated_at is not None
    again = client.messages.batches.cancel(batch.id)
    assert again.cancel_initiated_at == canceled.cancel_initiated_at
    counts = ended(client, batch.id, 30).request_counts
    assert counts.succeeded + counts.canceled == 12
    assert counts.canceled >= 8
    states = [line.result.type for line in client.messages.batches.results(batch.id)]
    assert states.count("canceled") == counts.canceled


def test_only_what_ended_has_results_and_can_be_deleted(
    gateway: Gateway, client: anthropic.Anthropic
):
    batch = create(client, messages_request("slow", "STREAM[[deltas=10 gap_ms=100]]"))
    with pytest.raises(anthropic.AnthropicError, match="results_url"):
        client.messages.batches.results(batch.id)
    with pytest.raises(anthropic.BadRequestError) as refused:
        client.messages.batches.delete(batch.id)
    assert refused.value.body["error"]["type"] == "invalid_request_error"
    reply = httpx.get(f"{gateway.url}{PATH}/{batch.id}/results")
    assert reply.status_code == 400
    ended(client, batch.id)
    assert client.messages.batches.delete(batch.id).id == batch.id
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(batch.id)


@pytest.mark.parametrize("call", ["retrieve", "cancel", "delete"])
@pytest.mark.parametrize("batch_id", ["msgbatch_unknown", "batch_1", "%2e%2e", "a b"])
def test_unknown_ids_are_404(client: anthropic.Anthropic, call: str, batch_id: str):
    with pytest.raises(anthropic.NotFoundError) as refused:
        getattr(client.messages.batches, call)(batch_id)
    assert refused.value.body["error"]["type"] == "not_found_error"


def post(gateway: Gateway, content: bytes, **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(
        gateway.url + PATH,
        content=content,
        headers={"content-type": "application/json", **names},
        timeout=60,
    )


REQUEST = messages_request("one", "SAY[[packed]]")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"requests": {}}',
        b'{"requests": []}',
        b'{"requests": [1]}',
        b'{"requests": [{}]}',
        b'{"requests": [{"custom_id": "a"}]}',
        b'{"requests": [{"custom_id": 1, "params": {}}]}',
        b'{"requests": [{"custom_id": "", "params": {}}]}',
        b'{"requests": [{"custom_id": "a b", "params": {}}]}',
        b'{"requests": [{"custom_id": "a", "params": []}]}',
        orjson.dumps({"requests": [REQUEST, REQUEST]}),
        orjson.dumps({"requests": [REQUEST]})[:-5],
        orjson.dumps({"requests": [REQUEST]}) + b"}",
        b'{"requests": [\xff]}',
        b"[" * 100_000,
    ],
)
def test_malformed_batches_are_client_errors(gateway: Gateway, content: bytes):
    reply = post(gateway, content)
    assert reply.status_code == 400, reply.text
    error = reply.json()
    assert error["type"] == "error"
    assert error["error"]["type"] == "invalid_request_error"
    assert error["error"]["message"]


def test_a_custom_id_that_is_there_twice_is_named(gateway: Gateway):
    reply = post(gateway, orjson.dumps({"requests": [REQUEST, REQUEST]}))
    assert "requests.1.custom_id" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("zstd", zstandard.ZstdCompressor().compress),
        ("identity", bytes),
    ],
    ids=["gzip", "zstd", "identity"],
)
def test_compressed_batches_are_read(
    gateway: Gateway, client: anthropic.Anthropic, encoding: str, compress
):
    reply = post(
        gateway, compress(orjson.dumps({"requests": [REQUEST]})), content_encoding=encoding
    )
    assert reply.status_code == 200, reply.text
    ended(client, reply.json()["id"])


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{}", {"content_type": "text/plain"}, 415),
        (b"{}", {"content_encoding": "br"}, 415),
        (b"{}", {"content_encoding": "gzip"}, 400),
        (b"{}", {"content_encoding": "zstd"}, 400),
        (gzip.compress(b'{"requests": []}', mtime=0)[:-6], {"content_encoding": "gzip"}, 400),
        (gzip.compress(b" " * (257 * 2**20), 1), {"content_encoding": "gzip"}, 413),
    ],
    ids=["text", "br", "not-gzip", "not-zstd", "cut", "too-large"],
)
def test_bodies_that_are_not_taken(gateway: Gateway, content: bytes, headers, status):
    reply = post(gateway, content, **headers)
    assert reply.status_code == status, reply.text
    assert reply.json()["type"] == "error"


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "limit=-1", "after_id=a&before_id=b"],
)
def test_queries_that_make_no_sense(gateway: Gateway, query: str):
    reply = httpx.get(f"{gateway.url}{PATH}?{query}")
    assert reply.status_code == 400
    assert reply.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("cursor", ["after_id", "before_id"])
def test_cursors_that_are_unknown(gateway: Gateway, cursor: str):
    assert httpx.get(f"{gateway.url}{PATH}?{cursor}=msgbatch_unknown").status_code == 404


def test_the_body_of_a_client_that_leaves_makes_no_batch(
    gateway: Gateway, client: anthropic.Anthropic, simulator: Simulator
):
    before = [batch.id for batch in client.messages.batches.list()]

    def broken() -> Iterator[bytes]:
        yield b'{"requests":[' + orjson.dumps(REQUEST)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        httpx.post(
            gateway.url + PATH, content=broken(), headers={"content-type": "application/json"}
        )
    # One more call, so that the broken one was seen before.
    create(client, REQUEST)
    listed = [batch.id for batch in client.messages.batches.list()]
    assert len(listed) == len(before) + 1
    wait_until(lambda: simulator.stats["responses_completed"] == 1, "only the whole batch runs")
