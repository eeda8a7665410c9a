"""The check of contents, in this process."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from codexia_supervisor.batches.intake import check
from codexia_supervisor.batches.spans import Walk

if TYPE_CHECKING:
    from pathlib import Path

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def said(path: Path, content: bytes, dialect: str = "messages") -> tuple[list[Any], Any]:
    path.write_bytes(content)
    output = BytesIO()
    verdict = check(dialect, path, "/v1/responses", output)
    return [orjson.loads(line) for line in output.getvalue().splitlines()], verdict


def test_one_request_too_many_is_too_large(tmp_path: Path):
    items = [b'{"custom_id":"%d","params":{}}' % number for number in range(100_001)]
    content = b'{"requests":[%s]}'
    _, verdict = said(tmp_path / "c", content % b",".join(items))
    assert [each["code"] for each in verdict["problems"]] == ["request_too_large"]
    _, verdict = said(tmp_path / "c", content % b",".join(items[:-1]))
    assert verdict == {"items": 100_000, "model": None, "problems": []}


def test_one_line_too_many_is_too_many(tmp_path: Path):
    line = b'{"custom_id":"%d","method":"POST","url":"/v1/responses","body":{"model":"m"}}'
    lines = [line % number for number in range(50_001)]
    _, verdict = said(tmp_path / "c", b"\n".join(lines), "openai")
    assert [each["code"] for each in verdict["problems"]] == ["too_many_requests"]
    _, verdict = said(tmp_path / "c", b"\r\n".join(lines[:-1]) + b"\n\n", "openai")
    assert verdict == {"items": 50_000, "model": "m", "problems": []}


def test_the_places_are_those_of_the_params(tmp_path: Path):
    content = b'{"requests":[{"custom_id":"a","x":"}","params": {"t":"\\"]"} } ]}'
    [[custom_id, start, length]], verdict = said(tmp_path / "c", content)
    assert (custom_id, content[start : start + length]) == ("a", b'{"t":"\\"]"}')
    assert verdict["items"] == 1


@settings(max_examples=200)
@given(st.dictionaries(st.text(), VALUES, max_size=5), st.booleans())
def test_members_are_where_they_were_put(value: dict[str, Any], spaced: bool):
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 if spaced else 0)
    walk = Walk(text)
    assert {key: orjson.loads(text[slice(*walk.value())]) for key in walk.members()} == value
    walk.end()


@settings(max_examples=200)
@given(st.lists(VALUES, max_size=5), st.booleans())
def test_elements_are_where_they_were_put(value: list[Any], spaced: bool):
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 if spaced else 0)
    walk = Walk(text)
    assert [orjson.loads(text[slice(*walk.value())]) for _ in walk.elements()] == value
    walk.end()


@given(st.lists(VALUES, max_size=5))
def test_values_that_nobody_takes_are_passed_by(value: list[Any]):
    walk = Walk(orjson.dumps({"a": value, "b": 1}))
    assert list(walk.members()) == ["a", "b"]
    walk.end()


@given(st.text(st.sampled_from('\\"a\n}é'), max_size=12))
def test_quotes_and_backslashes(text: str):
    content = orjson.dumps([text, "next"])
    walk = Walk(content)
    assert [orjson.loads(content[slice(*walk.value())]) for _ in walk.elements()] == [text, "next"]
    walk = Walk(orjson.dumps([[text], "next"]))
    assert list(walk.elements()) == [0, 1]


def test_requests_that_are_there_twice(tmp_path: Path):
    content = b'{"requests":[{"custom_id":"a","params":{}}],"requests":[]}'
    _, verdict = said(tmp_path / "c", content)
    assert verdict["problems"][0]["message"] == "requests: is there twice"
