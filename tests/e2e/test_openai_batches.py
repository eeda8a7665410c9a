"""`/v1/files` and `/v1/batches` with OpenAI's own SDK, and with requests that it would not send."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import httpx
import openai
import orjson
import pytest

from tests.e2e.batches import jsonl, openai_line, over, upload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.processes import Gateway

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
SLOW = "STREAM[[deltas=40 gap_ms=100]]"


@pytest.fixture(scope="module")
def gateway_environment() -> dict[str, str]:
    return {"CODEXIA_BATCH_CONCURRENCY": "4"}


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="local", max_retries=0) as client:
        yield client


def create(client: openai.OpenAI, lines: list[dict[str, Any]], url: str = CHAT) -> Any:
    return client.batches.create(
        input_file_id=upload(client, jsonl(lines)), endpoint=url, completion_window="24h"
    )


def lines_of(client: openai.OpenAI, file_id: str) -> dict[str, Any]:
    lines = client.files.content(file_id).text.splitlines()
    return {line["custom_id"]: line for line in map(orjson.loads, lines)}


def text_of(line: dict[str, Any], url: str) -> str:
    body = line["response"]["body"]
    if url == CHAT:
        return body["choices"][0]["message"]["content"]
    return body["output"][-1]["content"][0]["text"]


@pytest.mark.parametrize("url", [CHAT, RESPONSES])
def test_batch_runs_to_its_output_file(client: openai.OpenAI, url: str):
    asked = [openai_line(f"id-{n}", url, f"SAY[[number {n}]]") for n in range(10)]
    batch = client.batches.create(
        input_file_id=upload(client, jsonl(asked)),
        endpoint=url,
        completion_window="24h",
        metadata={"purpose": "night"},
    )
    assert batch.object == "batch"
    assert batch.status in {"validating", "in_progress"}
    done = over(client, batch.id)
    assert done.status == "completed"
    assert done.metadata == {"purpose": "night"}
    assert (done.request_counts.completed, done.request_counts.total) == (10, 10)
    lines = lines_of(client, done.output_file_id)
    assert {name: text_of(line, url) for name, line in lines.items()} == {
        f"id-{n}": f"number {n}" for n in range(10)
    }
    assert {line["response"]["status_code"] for line in lines.values()} == {200}
    assert client.files.retrieve(done.output_file_id).purpose == "batch_output"


def test_failed_requests_are_in_the_error_file(client: openai.OpenAI):
    done = over(
        client,
        create(
            client,
            [openai_line("good", CHAT, "SAY[[fine]]"), openai_line("bad", CHAT, "x", n=2)],
        ).id,
    )
    assert done.status == "completed"
    assert list(lines_of(client, done.output_file_id)) == ["good"]
    [bad] = lines_of(client, done.error_file_id).values()
    assert bad["response"]["status_code"] == 400
    assert bad["response"]["body"]["error"]["code"] == "unsupported_value"


def test_wrong_lines_fail_the_batch_with_their_numbers(client: openai.OpenAI):
    wrong = [
        openai_line("a", CHAT, "x"),
        openai_line("a", CHAT, "twice"),
        openai_line("c", RESPONSES, "another endpoint"),
    ]
    done = over(client, create(client, wrong).id)
    assert done.status == "failed"
    assert [error.line for error in done.errors.data] == [2, 3]
    assert all(error.code and error.message for error in done.errors.data)


def test_files_are_kept_listed_and_deleted(client: openai.OpenAI):
    content = jsonl([openai_line("a", CHAT, "x")])
    ids = [upload(client, content, f"{n}.jsonl") for n in range(3)]
    file = client.files.retrieve(ids[0])
    assert (file.filename, file.purpose, file.bytes) == ("0.jsonl", "batch", len(content))
    assert client.files.content(ids[0]).read() == content
    listed = [each.id for each in client.files.list(limit=2)]
    assert listed[:3] == ids[::-1]
    rising = [each.id for each in client.files.list(limit=1, order="asc")]
    assert rising[-3:] == ids
    assert all(each.purpose == "batch" for each in client.files.list(purpose="batch"))
    assert client.files.delete(ids[0]).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(ids[0])


def test_batches_page(client: openai.OpenAI):
    lines = [openai_line("a", CHAT, "SAY[[x]]")]
    ids = [create(client, lines).id for _ in range(3)][::-1]
    assert [batch.id for batch in client.batches.list(limit=1)][:3] == ids
    assert [batch.id for batch in client.batches.list(limit=2, after=ids[0])][:2] == ids[1:]
    for batch_id in ids:
        over(client, batch_id)


def test_cancel(client: openai.OpenAI):
    batch = create(client, [openai_line(f"id-{n}", CHAT, SLOW) for n in range(12)])
    canceled = client.batches.cancel(batch.id)
    assert canceled.status in {"cancelling", "cancelled"}
    done = over(client, batch.id, 30)
    assert done.status == "cancelled"
    assert done.cancelled_at >= done.cancelling_at


async def test_async_client(gateway: Gateway, client: openai.OpenAI):
    asynchronous = openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="local", max_retries=0)
    async with asynchronous:
        content = io.BytesIO(jsonl([openai_line("only", CHAT, "SAY[[here]]")]))
        file = await asynchronous.files.create(file=("in.jsonl", content), purpose="batch")
        batch = await asynchronous.batches.create(
            input_file_id=file.id, endpoint=CHAT, completion_window="24h"
        )
        done = over(client, batch.id)
        output = await asynchronous.files.content(done.output_file_id)
        assert b'"only"' in output.content
        assert batch.id in [each.id async for each in asynchronous.batches.list(limit=1)]


@pytest.mark.parametrize("file_id", ["file-unknown", "%2e%2e", "batch_1", "a b"])
@pytest.mark.parametrize("call", ["retrieve", "content", "delete"])
def test_unknown_files_are_404(client: openai.OpenAI, call: str, file_id: str):
    with pytest.raises(openai.NotFoundError):
        getattr(client.files, call)(file_id)


@pytest.mark.parametrize("call", ["retrieve", "cancel"])
@pytest.mark.parametrize("batch_id", ["batch_unknown", "msgbatch_1", "%2e%2e"])
def test_unknown_batches_are_404(client: openai.OpenAI, call: str, batch_id: str):
    with pytest.raises(openai.NotFoundError):
        getattr(client.batches, call)(batch_id)


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"endpoint": "/v1/embeddings"}, "endpoint"),
        ({"endpoint": 3}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"input_file_id": 3}, "input_file_id"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"metadata": {"a" * 65: "x"}}, "metadata"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata"),
    ],
    ids=str,
)
def test_batches_that_make_no_sense(gateway: Gateway, changed: dict[str, Any], param: str):
    body = {"endpoint": CHAT, "completion_window": "24h", "input_file_id": "file-1", **changed}
    reply = httpx.post(f"{gateway.url}/v1/batches", json=body)
    assert reply.status_code == 400, reply.text
    assert reply.json()["error"]["param"] == param


def test_batch_of_an_unknown_file(gateway: Gateway):
    body = {"endpoint": CHAT, "completion_window": "24h", "input_file_id": "file-unknown"}
    reply = httpx.post(f"{gateway.url}/v1/batches", json=body)
    assert reply.status_code in {400, 404}
    assert "file" in reply.json()["error"]["message"]


FORM = {"content-type": "multipart/form-data; boundary=b"}


def form(*parts: bytes, end: bytes = b"--b--\r\n") -> bytes:
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + end


def part(name: bytes, content: bytes, more: bytes = b"") -> bytes:
    return b'Content-Disposition: form-data; name="' + name + b'"' + more + b"\r\n\r\n" + content


PURPOSE = part(b"purpose", b"batch")
FILE = part(b"file", b"{}\n", b'; filename="x.jsonl"')


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{}", {"content-type": "application/json"}, 415),
        (form(PURPOSE, FILE), {"content-type": "multipart/form-data"}, 415),
        (b"", FORM, 400),
        (b"nonsense", FORM, 400),
        (form(PURPOSE), FORM, 400),
        (form(FILE), FORM, 400),
        (form(part(b"purpose", b"assistants"), FILE), FORM, 400),
        (form(FILE, part(b"purpose", b"assistants")), FORM, 400),
        (form(PURPOSE, FILE, FILE), FORM, 400),
        (form(PURPOSE, FILE, end=b""), FORM, 400),
        (form(PURPOSE, b"X: y\r\n\r\nz"), FORM, 400),
        (form(part(b"long", bytes(5000)), PURPOSE, FILE), FORM, 400),
        (form(PURPOSE, FILE), {**FORM, "content-encoding": "gzip"}, 400),
    ],
    ids=[
        "json",
        "no-boundary",
        "empty",
        "nonsense",
        "no-file",
        "no-purpose",
        "other-purpose-before",
        "other-purpose-after",
        "two-files",
        "cut",
        "nameless",
        "long-field",
        "not-gzip",
    ],
)
def test_forms_that_are_not_taken(
    gateway: Gateway, client: openai.OpenAI, content: bytes, headers: dict[str, str], status: int
):
    before = [file.id for file in client.files.list()]
    reply = httpx.post(f"{gateway.url}/v1/files", content=content, headers=headers)
    assert reply.status_code == status, reply.text
    assert reply.json()["error"]["message"]
    assert [file.id for file in client.files.list()] == before


def test_purpose_may_come_after_the_file(gateway: Gateway):
    reply = httpx.post(f"{gateway.url}/v1/files", content=form(FILE, PURPOSE), headers=FORM)
    assert reply.status_code == 200, reply.text
    assert reply.json()["filename"] == "x.jsonl"


def test_anthropics_files_are_not_served(gateway: Gateway):
    reply = httpx.get(f"{gateway.url}/v1/files", headers={"anthropic-version": "2023-06-01"})
    assert reply.status_code == 404
    assert reply.json()["error"]["type"] == "not_found_error"
    assert "Files API" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    "target", ["batches?limit=0", "batches?limit=101", "files?limit=10001", "files?order=up"]
)
def test_queries_that_make_no_sense(gateway: Gateway, target: str):
    assert httpx.get(f"{gateway.url}/v1/{target}").status_code == 400
