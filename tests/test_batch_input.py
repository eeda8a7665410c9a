"""What a file of requests is taken for, and what is told of its lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from codexia.batch_input import BatchInput
from codexia.errors import BadRequest

if TYPE_CHECKING:
    from pathlib import Path

MESSAGES = [{"custom_id": f"id-{n}", "params": {"model": "gpt-5.5"}} for n in range(3)]
OPENAI = [
    {"custom_id": f"id-{n}", "method": "POST", "url": "/v1/responses", "body": {}} for n in range(3)
]


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "requests.jsonl"
    path.write_bytes(content)
    return path


def lines(*requests: Any) -> bytes:
    return b"\n".join(map(orjson.dumps, requests))


def test_lines_of_anthropic_become_the_body_that_creates_a_batch(tmp_path: Path):
    requests = BatchInput(written(tmp_path, lines(*MESSAGES) + b"\r\n\n  \n"))
    assert requests.kind == "messages_lines"
    assert orjson.loads(b"".join(requests.content())) == {"requests": MESSAGES}


@pytest.mark.parametrize("options", [0, orjson.OPT_INDENT_2], ids=["flat", "indented"])
def test_a_body_is_sent_as_it_is(tmp_path: Path, options: int):
    content = orjson.dumps({"requests": MESSAGES}, option=options)
    requests = BatchInput(written(tmp_path, content))
    assert requests.kind == "messages_body"
    assert b"".join(requests.content()) == content


def test_a_file_of_openai_is_sent_as_it_is(tmp_path: Path):
    content = lines(*OPENAI)
    requests = BatchInput(written(tmp_path, content))
    assert (requests.kind, requests.endpoint) == ("openai_lines", "/v1/responses")
    assert b"".join(requests.content()) == content


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"no json", "line 1: expected an object"),
        (b"\n[1]", "line 2: expected an object"),
        (b'{"custom_id": "a"}', "line 1: expected an object"),
        (lines(MESSAGES[0], MESSAGES[0]), "line 2: custom_id: 'id-0' is that of line 1 too"),
        (lines(MESSAGES[0]) + b"\n{", "line 2: not a JSON object"),
        (lines(MESSAGES[0], OPENAI[1]), "line 2: params: an object is needed"),
        (lines(MESSAGES[0], {"params": {}}), "line 2: custom_id: a string is needed"),
        (lines({"custom_id": "a b", "params": {}}), "line 1: custom_id: 1 to 64 letters"),
        (lines(OPENAI[0], OPENAI[1] | {"method": "GET"}), 'line 2: method: must be "POST"'),
        (lines(OPENAI[0] | {"url": "/v1/embeddings"}), "line 1: url: batches are served for"),
        (lines(OPENAI[0], OPENAI[1] | {"url": "/v1/chat/completions"}), "line 2: url: the lines"),
        (lines(OPENAI[0] | {"body": 1}), "line 1: body: an object is needed"),
    ],
)
def test_problems_are_told_with_their_lines(tmp_path: Path, content: bytes, told: str):
    with pytest.raises(BadRequest) as refused:
        BatchInput(written(tmp_path, content))
    assert told in refused.value.message
    assert "requests.jsonl" in refused.value.message


def test_many_problems_are_counted(tmp_path: Path):
    with pytest.raises(BadRequest, match=r"; and 5 more$"):
        BatchInput(written(tmp_path, lines(*[{"custom_id": "a b", "params": {}}] * 10)))
