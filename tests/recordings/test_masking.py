"""Content goes, protocol stays, and so does every length."""

from __future__ import annotations

import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexia.recordings.masking import KEPT, OPAQUE, without_content

PROMPT = "Tell me 3 things\nabout \u201cZo\u00eb\u201d \U0001f600 true"

ALLOWED = re.compile(r"\\+(?:u0078|[nrtbf])|\b(?:true|false|null)\b")
"""Letters that belong to escapes, or may."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_request_keeps_its_shape():
    content = orjson.dumps(
        {
            "model": "gpt-5.5",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": PROMPT}]},
                {"type": "function_call", "name": "run", "call_id": "call_1", "arguments": "{}"},
            ],
            "metadata": {"name": "Zoe", "type": "secret"},
            "tools": [{"name": "run", "description": PROMPT, "input": {"id": "Zoe"}}],
            "stop": ["Zoe"],
            "max_tokens": 7,
        }
    )
    masked = without_content(content)
    assert len(masked) == len(content)
    told = orjson.loads(masked)
    assert told["model"] == "gpt-5.5"
    assert told["input"][0]["role"] == "user"
    assert told["input"][0]["content"][0]["type"] == "input_text"
    assert told["input"][1] == {
        "type": "function_call",
        "name": "run",
        "call_id": "call_1",
        "arguments": "{}",
    }
    assert told["max_tokens"] == 7
    assert told["metadata"] == {"name": "xxx", "type": "xxxxxx"}
    assert told["tools"][0]["input"] == {"id": "xxx"}
    assert b"Zo" not in masked
    assert b"things" not in masked


def test_json_within_a_string_stays_json():
    arguments = '{"path": "/etc", "n": 10, "deep": [true, null, "\\n"]}'
    told = orjson.loads(without_content(orjson.dumps({"arguments": arguments})))
    assert orjson.loads(told["arguments"])["xxxx"] == [True, None, "\n"]


def test_value_that_is_no_identifier_goes_under_any_name():
    told = orjson.loads(without_content(b'{"name": "my secret plan", "type": "text"}'))
    assert told == {"name": "xx xxxxxx xxxx", "type": "text"}


def test_stream_keeps_its_events():
    stream = (
        b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta",'
        b'"delta":"Zoe"}\n\n: ping\n\ndata: [DONE]\n\n'
    )
    assert without_content(stream) == stream.replace(b"Zoe", b"xxx")


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_event_that_was_cut_off_loses_its_letters(ending: bytes):
    cut = b'data: {"delta":"a"}' + ending * 2 + b'data: {"type": "x", "delta": "Zo'
    masked = without_content(cut)
    assert masked == b'data: {"delta":"x"}' + ending * 2 + b'data: {"xxxx": "x", "xxxxx": "xx'


def test_page_loses_its_letters():
    assert without_content(b'<p id="Zoe">Zoe \xff</p>') == b'<x xx="xxx">xxx x</x>'


@given(JSON)
def test_any_json_keeps_length_names_and_no_text(value: object):
    content = orjson.dumps(value)
    masked = without_content(content)
    assert len(masked) == len(content)
    for text in _texts(orjson.loads(masked)):
        assert not re.search(r"[a-wyzA-Z02-9]", ALLOWED.sub("", text))


def _texts(value: object, name: str = "") -> list[str]:
    """Return the strings of a document but those that may stay."""
    if isinstance(value, dict):
        if name.encode() in OPAQUE:
            return []
        return [text for key, each in value.items() for text in _texts(each, key)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) and name.encode() not in KEPT else []
