"""Secrets go, lengths and JSON stay."""

from __future__ import annotations

import time

import orjson
import pytest

from codexia.recordings.redaction import MASK, Redaction

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyLTEifQ.c2lnbmF0dXJl"
KEY = 'local key with "quotes" and \\ in it'

SHAPES = {
    "jwt": JWT,
    "key": "sk-proj-0123456789abcdefghij",
    "refresh token": "rt_0123456789abcdefghij-_x",
    "github": "ghp_0123456789abcdefghij",
    "aws": "AKIA0123456789ABCDEF",
    "email": "ada.lovelace+codex@mail.example.org",
    "account": "user-0123456789abcdefghij",
}
AROUND = {
    "alone": "{}",
    "in prose": "It is {}, I think.",
    "after a line break": "line\n{}\n",
    "after a tab": "\t{}",
    "after a letter outside ASCII": "\u00e9{}",
    "after a backslash": "DOMAIN\\{}",
    "in quotes": '"{}"',
}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("depth", [1, 2])
def test_what_looks_like_a_secret_goes_and_json_stays(shape: str, around: str, depth: int):
    text = AROUND[around].format(SHAPES[shape])
    for _ in range(depth):
        text = orjson.dumps({"text": text}).decode()
    content = text.encode()
    redacted = Redaction().content(content)
    assert SHAPES[shape].encode() not in redacted
    assert SHAPES[shape][8:].encode() not in redacted
    assert len(redacted) == len(content)
    inner = orjson.loads(redacted)["text"]
    assert depth == 1 or "text" in orjson.loads(inner)


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_known_secret_goes_from_json_and_from_json_within_json(depth: int):
    text = f"the key: {KEY}!"
    for _ in range(depth):
        text = orjson.dumps({"text": text}).decode()
    redacted = Redaction([KEY]).content(text.encode()).decode()
    assert "quotes" not in redacted
    assert len(redacted) == len(text)


@pytest.mark.parametrize(
    "name", ["access_token", "refresh_token", "password", "client_secret", "account_id", "Cookie"]
)
def test_value_of_a_telling_name_goes(name: str):
    content = orjson.dumps({name: "hunter2", "arguments": f'{{"{name}": "hunter2"}}'})
    redacted = Redaction().content(content)
    assert b"hunter2" not in redacted
    assert name in orjson.loads(orjson.loads(redacted)["arguments"])


def test_bearer_goes_in_any_case():
    assert b"abcdef" not in Redaction().content(b'"curl\\nbEARER abcdefabcdef"')


def test_ordinary_text_stays():
    content = b'{"text": "pip install a==1.0, x@2.1, npm i lodash@4.17.21; ask-me, user-story"}'
    assert Redaction().content(content) == content


def test_short_key_stays_in_texts():
    assert Redaction(["local"]).content(b"a local variable") == b"a local variable"


def test_headers_are_kept_by_a_list():
    headers = {
        "Authorization": f"Bearer {JWT}",
        "Cookie": "session=1",
        "ChatGPT-Account-Id": "1",
        "X-Unheard-Of": "1",
        "Content-Type": "application/json",
        "User-Agent": f"mine ({SHAPES['email']})",
        "X-Codex-Primary-Used-Percent": "31",
    }
    assert dict(Redaction().headers(headers)) == {
        "authorization": MASK,
        "cookie": MASK,
        "chatgpt-account-id": MASK,
        "x-unheard-of": MASK,
        "content-type": "application/json",
        "user-agent": f"mine ({'*' * len(SHAPES['email'])})",
        "x-codex-primary-used-percent": "31",
    }


HOSTILE = {
    "jwt": b"eyJ" * 300_000,
    "at": b"a@" * 500_000,
    "domain": b"a@" + b"b." * 500_000,
    "backslashes": b'"secret' + b"\\" * 900_000,
    "bearer": b"bearer " * 150_000,
    "key": b"sk-" * 300_000,
    "names": b'"secret":' * 100_000,
    "escapes": b"\\n" * 500_000,
}


@pytest.mark.parametrize("shape", HOSTILE)
def test_time_grows_with_the_length_alone(shape: str):
    began = time.process_time()
    Redaction().content(HOSTILE[shape])
    assert time.process_time() - began < 5
