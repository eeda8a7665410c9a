"""Batches over the control API of a running supervisor, with stand-ins for workers."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import orjson

from tests.supervisor.batch_worker import BatchWorker
from tests.supervisor.batches.conftest import at_work, line, request, until

if TYPE_CHECKING:
    from tests.supervisor.batches.conftest import Office


async def test_every_request_of_a_batch_is_run_once_and_has_its_result(office: Office):
    requests = [request(f"r-{n}", n=n) for n in range(300)]
    workers = [BatchWorker(office.socket, name) for name in ("a", "b")]
    batch = await office.create(requests)
    assert (batch["state"], batch["counts"]["pending"]) == ("in_progress", 300)
    async with at_work(*workers):
        batch = await office.ended(batch["id"])
    assert batch["counts"] == dict.fromkeys(batch["counts"], 0) | {"succeeded": 300}
    results = await office.results(batch["id"])
    assert [each["custom_id"] for each in results] == [each["custom_id"] for each in requests]
    assert [each["body"]["echo"] for each in results] == [each["params"] for each in requests]
    assert len(workers[0].ran) + len(workers[1].ran) == 300
    assert workers[0].ran
    assert workers[1].ran
    assert not list((office.running.home.root / "batches").iterdir())


async def test_a_request_reaches_its_worker_as_it_was_written(office: Office):
    body = (
        b'{\n "requests" : [ {"params": {"model": "m",\n\t"big": 123456789012345678901234567890,'
        b' "small": 0.1000000000000000055511151231257827, "text": "\xc3\xa4 \\u00e4 \\n]}"},'
        b' "custom_id": "c\\u0061"}],\r\n "else": [1, {"a": "]"}]}'
    )
    batch = (await office.call("POST", "/batches", body)).json()
    raw: list[bytes] = []
    async with office.http.stream(
        "POST", "/work", content=b'{"worker": "w", "generation": 1}'
    ) as reply:
        async for line in reply.aiter_lines():
            if line:
                raw.append(line.encode())
                break
    assert b'"big": 123456789012345678901234567890,' in raw[0]
    assert b'"small": 0.1000000000000000055511151231257827' in raw[0]
    assert orjson.loads(raw[0])["body"]["text"] == "\u00e4 \u00e4 \n]}"
    assert orjson.loads(raw[0]) == {
        "item": orjson.loads(raw[0])["item"],
        "batch_id": batch["id"],
        "endpoint": "/v1/messages",
        "key_name": "",
        "attempt": 1,
        "body": orjson.loads(raw[0])["body"],
    }


WRONG = [
    (b"", 400, "empty"),
    (b"[]", 400, "not valid JSON"),
    (b"{}", 400, "requests: field required"),
    (b'{"requests": {}}', 400, "requests: must be a list"),
    (b'{"requests": []}', 400, "at least one"),
    (b'{"requests": [1]}', 400, r"requests.0: must be an object"),
    (b'{"requests": [{"custom_id": "a"}]}', 400, "requests.0.params: field required"),
    (b'{"requests": [{"params": {}}]}', 400, "requests.0.custom_id: field required"),
    (b'{"requests": [{"custom_id": "a", "params": []}]}', 400, "requests.0.params: must be an obj"),
    (b'{"requests": [{"custom_id": "a b", "params": {}}]}', 400, "requests.0.custom_id: must be"),
    (b'{"requests": [{"custom_id": "", "params": {}}]}', 400, "requests.0.custom_id: must be"),
    (b'{"requests": [{"custom_id": 1, "params": {}}]}', 400, "requests.0.custom_id: must be"),
    (
        b'{"requests": [{"custom_id": "%s", "params": {}}]}' % (b"a" * 65),
        400,
        "requests.0.custom_id: must be",
    ),
    (
        b'{"requests": [{"custom_id": "a", "params": {}}, {"custom_id": "a", "params": {}}]}',
        400,
        "requests.1.custom_id: 'a' is there twice",
    ),
    (
        b'{"requests": [{"custom_id": "a", "params": {"stream": true}}]}',
        400,
        "requests.0.params.stream",
    ),
    (b'{"requests": [{"custom_id": "a", "params": {"x": nul}}]}', 400, "not valid JSON"),
    (b'{"requests": [{"custom_id": "a", "params": {}}]', 400, "not valid JSON"),
    (b'{"requests": [{"custom_id": "a", "params": {}}]} x', 400, "not valid JSON"),
    (b'{"requests": [{"custom_id": "a", "params": {}},]}', 400, "must be an object|not valid"),
    (b'{"requests": [{"custom_id": "a", "params": {"a": "\xff"}}]}', 400, "not valid JSON"),
    (b'{"requests": [{"custom_id": "a", "params": {"a": "b}}]}', 400, "not valid JSON"),
]


async def test_a_wrong_creation_says_what_is_wrong_and_leaves_nothing(office: Office):
    for body, status, message in WRONG:
        reply = await office.call("POST", "/batches", body)
        assert (reply.status_code, body[:100]) == (status, body[:100])
        assert re.search(message, reply.json()["error"]["message"]), reply.text
    assert (await office.call("GET", "/batches")).json() == {"batches": [], "has_more": False}
    assert not list((office.running.home.root / "batches").iterdir())


async def test_a_creation_that_breaks_off_leaves_nothing(office: Office):
    _, writer = await asyncio.open_unix_connection(office.socket)
    writer.write(b"POST /batches HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n")
    writer.write(b'{"requests": [' + b" " * 500_000)
    await writer.drain()
    directory = office.running.home.root / "batches"
    await until(lambda: directory.exists() and list(directory.iterdir()))
    writer.close()
    await until(lambda: not list(directory.iterdir()))


async def test_a_file_becomes_a_batch_whose_results_are_files(office: Office):
    lines = [line(f"l {n}\u00e4", body={"model": "m", "n": n}) for n in range(30)]
    file_id = await office.upload([lines[0], b"", *lines[1:]])
    content = await office.call("GET", f"/files/{file_id}/content")
    assert len(content.content.splitlines()) == 31

    async def answer(assignment: dict[str, Any]) -> dict[str, Any]:
        if assignment["body"]["n"] % 3:
            return {"status": 200, "body": {"n": assignment["body"]["n"]}}
        return {"status": 400, "body": {"error": {"message": "no"}}}

    async with at_work(BatchWorker(office.socket, "w", answer)):
        batch = await office.create_of(file_id, metadata={"a": "b"})
        assert batch["state"] in ("validating", "in_progress")
        batch = await office.ended(batch["id"])
    assert (batch["counts"]["succeeded"], batch["counts"]["errored"]) == (20, 10)
    assert batch["metadata"] == {"a": "b"}
    for name, count, status in (("output_file_id", 20, 200), ("error_file_id", 10, 400)):
        file = (await office.call("GET", f"/files/{batch[name]}")).json()
        content = (await office.call("GET", f"/files/{batch[name]}/content")).content
        assert (file["purpose"], file["size_bytes"]) == ("batch_output", len(content))
        results = [orjson.loads(each) for each in content.splitlines()]
        assert {each["response"]["status_code"] for each in results} == {status}
        assert len({each["custom_id"] for each in results}) == count
    listed = (await office.call("GET", "/files?purpose=batch_output")).json()["files"]
    assert [each["id"] for each in listed] == [batch["error_file_id"], batch["output_file_id"]]


async def test_a_wrong_file_fails_with_the_numbers_of_its_lines(office: Office):
    wrong = [
        line("a"),
        b"{",
        {"method": "POST", "url": "/v1/responses", "body": {"model": "m"}},
        line("a"),
        line("b", method="GET"),
        line("c", url="/v1/chat/completions"),
        line("d", body=[]),
        line("e", body={}),
        b"[]",
        line("f", body={"model": "m", "stream": True}),
    ]
    batch = await office.create_of(await office.upload(wrong))
    batch = await office.when(batch["id"], lambda each: each["state"] == "failed", "failed")
    assert [(each["line"], each["param"]) for each in batch["problems"]] == [
        (2, None),
        (3, "custom_id"),
        (4, "custom_id"),
        (5, "method"),
        (6, "url"),
        (7, "body"),
        (8, "body.model"),
        (9, None),
        (10, "body.stream"),
    ]
    assert batch["counts"]["pending"] == 0
    assert batch["ended_at"]
    empty = await office.create_of(await office.upload([]))
    empty = await office.when(empty["id"], lambda each: each["state"] == "failed", "failed")
    assert [each["code"] for each in empty["problems"]] == ["empty_file"]


async def test_a_deleted_file_does_not_stop_its_batch(office: Office):
    file_id = await office.upload([line("a")])
    batch = await office.create_of(file_id)
    assert (await office.call("DELETE", f"/files/{file_id}")).status_code == 204
    assert (await office.call("GET", f"/files/{file_id}")).status_code == 404
    async with at_work(BatchWorker(office.socket, "w")):
        batch = await office.ended(batch["id"])
    assert batch["counts"]["succeeded"] == 1
    assert not list((office.running.home.root / "batches").iterdir())


async def test_what_runs_may_finish_in_a_canceled_batch(office: Office):
    go_on = asyncio.Event()

    async def answer(_: dict[str, Any]) -> dict[str, Any]:
        await go_on.wait()
        return {"status": 200, "body": {}}

    batch = await office.create([request(f"r{n}") for n in range(20)])
    path = f"/batches/{batch['id']}"
    async with at_work(BatchWorker(office.socket, "w", answer)):
        await office.when(batch["id"], lambda each: each["counts"]["running"] == 8, "8 running")
        assert (await office.call("GET", f"{path}/results")).status_code == 409
        assert (await office.call("DELETE", path)).status_code == 409
        canceled = (await office.call("POST", f"{path}/cancel")).json()
        assert (canceled["state"], canceled["counts"]["canceled"]) == ("canceling", 12)
        again = (await office.call("POST", f"{path}/cancel")).json()
        assert again["cancel_initiated_at"] == canceled["cancel_initiated_at"]
        go_on.set()
        ended = await office.ended(batch["id"])
    assert (ended["counts"]["succeeded"], ended["counts"]["canceled"]) == (8, 12)
    states = [each["state"] for each in await office.results(batch["id"])]
    assert states == ["succeeded"] * 8 + ["canceled"] * 12
    assert (await office.call("POST", f"{path}/cancel")).json()["state"] == "ended"
    assert (await office.call("DELETE", path)).status_code == 204
    assert (await office.call("GET", path)).status_code == 404


async def test_a_canceled_file_batch_tells_of_the_rest_in_its_error_file(office: Office):
    batch = await office.create_of(await office.upload([line(f"l{n}") for n in range(5)]))
    await office.when(batch["id"], lambda each: each["state"] == "in_progress", "in progress")
    await office.call("POST", f"/batches/{batch['id']}/cancel")
    batch = await office.ended(batch["id"])
    assert batch["output_file_id"] is None
    file = (await office.call("GET", f"/files/{batch['error_file_id']}")).json()
    content = (await office.call("GET", f"/files/{batch['error_file_id']}/content")).content
    assert file["size_bytes"] == len(content)
    assert content.count(b"batch_cancelled") == 5


async def test_pages_go_both_ways_and_keep_to_the_key(office: Office):
    mine = [(await office.create([request("a")], "mine"))["id"] for _ in range(5)][::-1]
    yours = (await office.create([request("a")], "yours"))["id"]

    async def ids(query: str) -> tuple[list[str], bool]:
        page = (await office.call("GET", f"/batches?{query}")).json()
        return [each["id"] for each in page["batches"]], page["has_more"]

    assert await ids("key=mine") == (mine, False)
    assert await ids("key=mine&limit=2") == (mine[:2], True)
    assert await ids(f"key=mine&limit=2&after={mine[1]}") == (mine[2:4], True)
    assert await ids(f"key=mine&limit=2&after={mine[3]}") == (mine[4:], False)
    assert await ids(f"key=mine&limit=2&before={mine[3]}") == (mine[1:3], True)
    assert await ids(f"key=mine&limit=2&before={mine[1]}") == (mine[:1], False)
    assert await ids("") == ([yours, *mine], False)
    assert await ids("key=mine&dialect=openai") == ([], False)
    for query in (f"key=mine&after={yours}", "after=none", f"key=yours&before={mine[0]}"):
        assert (await office.call("GET", f"/batches?{query}")).status_code == 404
    for method, path in (("GET", ""), ("GET", "/results"), ("POST", "/cancel"), ("DELETE", "")):
        reply = await office.call(method, f"/batches/{yours}{path}?key=mine")
        assert reply.status_code == 404


async def test_a_plan_limit_stops_the_queue_and_costs_no_attempt(office: Office):
    failures: dict[str, int] = {}

    async def answer(assignment: dict[str, Any]) -> dict[str, Any]:
        name = assignment["body"]["name"]
        if name == "limited" and failures.setdefault(name, 1):
            failures[name] = 0
            return {
                "status": 429,
                "cause": "usage_limit_reached",
                "body": {},
                "retryable": False,
                "retry_after_s": 1.5,
            }
        return {"status": 200, "body": {}}

    batch = await office.create([request("a", name="limited"), request("b", name="fine")])
    worker = BatchWorker(office.socket, "w", answer)
    async with at_work(worker):
        waiting = await office.when(batch["id"], lambda each: each["waits_until"], "waits")
        assert "plan" in waiting["wait_reason"]
        ended = await office.ended(batch["id"])
    assert ended["counts"]["succeeded"] == 2
    limited = [each["attempt"] for each in worker.ran if each["body"]["name"] == "limited"]
    assert limited == [1, 1]


async def test_what_a_worker_held_is_run_by_another(office: Office):
    async def never(_: dict[str, Any]) -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    batch = await office.create([request(f"r{n}") for n in range(4)])
    async with at_work(BatchWorker(office.socket, "dies", never)):
        await office.when(batch["id"], lambda each: each["counts"]["running"] == 4, "4 running")
    async with at_work(BatchWorker(office.socket, "lives")):
        ended = await office.ended(batch["id"])
    assert ended["counts"]["succeeded"] == 4


async def test_a_draining_generation_gets_nothing(office: Office):
    old = BatchWorker(office.socket, "old", generation=-1)
    new = BatchWorker(office.socket, "new")
    async with at_work(old):
        await old.connected.wait()
        async with at_work(new):
            await office.ended((await office.create([request("a"), request("b")]))["id"])
    assert (len(old.ran), len(new.ran)) == (0, 2)


async def test_status_tells_of_batches(office: Office):
    await office.create([request("a")])
    status = await asyncio.to_thread(
        office.running.when, lambda each: each.batches.active == 1, "one active batch"
    )
    assert status.batches.running == 0
