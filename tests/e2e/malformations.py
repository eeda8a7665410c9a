"""Requests that no client should send, made from valid ones."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
import zstandard
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Spoil = Callable[[dict[str, Any]], st.SearchStrategy[bytes]]

CANARY = "canary-7f3a"
SCHEMA = {"type": "object", "properties": {CANARY: {"type": "string", "enum": [CANARY]}}}
TEXT = {"role": "user", "content": CANARY}

BODIES: dict[str, dict[str, Any]] = {
    "chat": {
        "model": "gpt-5.5",
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": CANARY}]},
            TEXT,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "look", "arguments": "{}"},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": CANARY},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": CANARY},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                ],
            },
        ],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": SCHEMA}}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "found", "schema": SCHEMA, "strict": True},
        },
        "stop": [CANARY],
        "stream_options": {"include_usage": True},
        "reasoning_effort": "low",
    },
    "responses": {
        "model": "gpt-5.5",
        "instructions": CANARY,
        "input": [
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": CANARY}],
            },
            {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": CANARY},
            TEXT,
        ],
        "tools": [{"type": "function", "name": "look", "parameters": SCHEMA, "strict": False}],
        "tool_choice": "auto",
        "text": {"format": {"type": "json_schema", "name": "found", "schema": SCHEMA}},
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "metadata": {"user": CANARY},
    },
    "messages": {
        "model": "gpt-5.5",
        "max_tokens": 99,
        "system": [{"type": "text", "text": CANARY, "cache_control": {"type": "ephemeral"}}],
        "messages": [
            TEXT,
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": CANARY, "signature": "c2ln"},
                    {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {CANARY: 1}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": CANARY},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "aGk="},
                    },
                ],
            },
        ],
        "tools": [{"name": "look", "description": CANARY, "input_schema": SCHEMA}],
        "tool_choice": {"type": "auto"},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "metadata": {"user_id": CANARY},
        "stop_sequences": [CANARY],
    },
    "images": {
        "model": "gpt-image-2",
        "prompt": CANARY,
        "n": 2,
        "size": "1024x1024",
        "quality": "low",
        "background": "opaque",
        "moderation": "auto",
        "output_format": "png",
        "response_format": "b64_json",
        "user": CANARY,
    },
}
CONTENT = ("messages", "input", "prompt")
"""The member of a body that nothing can stand in for is one of these."""
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Malformed:
    """One request that is malformed.

    Attributes:
        kind: what was done to it, a key of `AT_THE_DOOR` or `INSIDE`.
    """

    kind: str
    content: bytes = field(repr=False)
    headers: dict[str, str] = field(default_factory=lambda: JSON)


Path = tuple[str | int, ...]
Requests = st.SearchStrategy[Malformed]

NOT_CONTENT = st.one_of(st.none(), st.booleans(), st.integers(-9, 2**63 - 1), st.floats(-1, 1))
SCALARS = st.one_of(NOT_CONTENT, st.text(max_size=8))
JUNK = st.one_of(
    SCALARS,
    st.just({}),
    st.just([]),
    st.lists(SCALARS, max_size=3),
    st.dictionaries(
        st.sampled_from(["type", "role", "content", "id", CANARY]), SCALARS, max_size=3
    ),
)
NESTS = st.tuples(
    st.sampled_from([(b"[", b"]"), (b'{"a":', b"}"), (b'[{"type":"text","text":', b"}]")]),
    st.integers(201, 3000),
).map(lambda nest: nest[0][0] * nest[1] + b"1" + nest[0][1] * nest[1])
NOT_UTF_8 = st.sampled_from(
    [b"\xff", b"\xc3\x28", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80"]
)
NOT_JSON = st.sampled_from(
    [
        "NaN",
        "-Infinity",
        "undefined",
        "'a'",
        "[1,]",
        '{"a":1,}',
        "01",
        "0x1",
        "+1",
        "1 2",
        '"\n"',
    ]
).map(str.encode) | st.sampled_from([rb'"\ud800"', rb'"\udc00\ud800"', rb'"\x41"', b'"\0"'])
HUGE_NUMBERS = st.sampled_from([b"1e308", b"1e-999", b"-0.0", b"1" * 400, b"18446744073709551616"])
HUGE_VALUES = st.tuples(
    # The canary comes last: a log may name a model, shortened.
    st.sampled_from(['"%s"', '"a b\\r\\n%s"', '["%s"]', '{"%s":1}', '"data:image/png;base64,%s"']),
    st.sampled_from(["x", "\u00e9\u4e2d ", "\\u0000", "{[", "1,"]),
    st.integers(8, 20),
).map(lambda huge: (huge[0] % (huge[1] * (2 ** huge[2] // len(huge[1])) + CANARY)).encode())
MANY_VALUES = st.tuples(
    st.sampled_from([b"[]", b"{}", b"0", b'""', b"null"]), st.integers(1, 15)
).map(lambda many: b"[" + (many[0] + b",") * 2 ** many[1] + many[0] + b"]")


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the place of every value in a body."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, each in value.items():
            yield from paths(each, (*path, key))
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from paths(each, (*path, index))


def replaced(value: Any, path: Path, junk: Any) -> Any:
    """Return a copy of a body with one value replaced."""
    if not path:
        return junk
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], junk)
    return copy


def with_raw(valid: dict[str, Any], raw: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Bodies with any one value replaced by text that need not be JSON."""
    return st.tuples(st.sampled_from(list(paths(valid))), raw).map(
        lambda change: orjson.dumps(replaced(valid, change[0], "RAW")).replace(b'"RAW"', change[1])
    )


def not_an_object(_: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """JSON that is none, and what is only close to JSON."""
    near = st.sampled_from([b"", b" ", b"\0", b"{", b"}", b"\xef\xbb\xbf{}", "{}".encode("utf-16")])
    return st.one_of(near, NESTS, st.one_of(SCALARS, st.lists(JUNK, max_size=3)).map(orjson.dumps))


def cut_short(valid: dict[str, Any]) -> st.SearchStrategy[bytes]:
    whole = orjson.dumps(valid)
    return st.integers(0, len(whole) - 1).map(lambda end: whole[:end])


def without_content(valid: dict[str, Any]) -> st.SearchStrategy[bytes]:
    name = next(name for name in CONTENT if name in valid)
    return NOT_CONTENT.map(lambda junk: orjson.dumps({**valid, name: junk}))


def not_utf_8(valid: dict[str, Any]) -> st.SearchStrategy[bytes]:
    return with_raw(valid, NOT_UTF_8.map(lambda broken: b'"' + broken + b'"'))


def altered(valid: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """Bodies with any one value replaced, which mostly makes no sense."""
    return st.tuples(st.sampled_from(list(paths(valid))), JUNK).map(
        lambda change: orjson.dumps(replaced(valid, *change))
    )


def byte_spoilt(valid: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """Bodies with some bytes taken out and others put in, anywhere."""
    whole = orjson.dumps(valid)
    return st.tuples(
        st.integers(0, len(whole)), st.integers(0, 3), st.one_of(st.binary(max_size=3), NOT_UTF_8)
    ).map(lambda spot: whole[: spot[0]] + spot[2] + whole[spot[0] + spot[1] :])


def raw(values: st.SearchStrategy[bytes]) -> Spoil:
    return lambda valid: with_raw(valid, values)


AT_THE_DOOR = {
    "not an object": not_an_object,
    "cut short": cut_short,
    "without content": without_content,
    "not UTF-8": not_utf_8,
    "not JSON": raw(NOT_JSON),
    "deeply nested": raw(NESTS),
}
"""Bodies that no reading of the protocol allows."""

INSIDE = {
    "wrong type": altered,
    "wrong bytes": byte_spoilt,
    "huge number": raw(HUGE_NUMBERS),
    "huge value": raw(HUGE_VALUES),
    "many values": raw(MANY_VALUES),
}
"""Bodies of which some are valid still."""

CONTENT_TYPES = st.one_of(
    st.sampled_from(["", "text/plain", "text/json", "multipart/form-data", "json", "*/*"]),
    st.sampled_from(["application/x-www-form-urlencoded", "application/jsonp", ";", "a" * 9000]),
    st.text(
        st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="+"), max_size=9
    ),
).map(lambda kind: {"content-type": kind})
ENCODINGS = st.sampled_from(
    ["br", "compress", "gzip, gzip", "gzip;q=1", "utf-8", "zstd,", "*", "a" * 9000]
)
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
}


def wrong_headers(valid: dict[str, Any]) -> Requests:
    """Valid bodies that are not said to be JSON, or in an encoding that is not served."""
    whole = orjson.dumps(valid)
    encodings = ENCODINGS.map(lambda encoding: {**JSON, "content-encoding": encoding})
    return st.one_of(CONTENT_TYPES, encodings).map(
        lambda headers: Malformed("wrong headers", whole, headers)
    )


def wrongly_packed(valid: dict[str, Any]) -> Requests:
    """Valid bodies, packed and then cut short, or packed in another way than they say."""
    whole = orjson.dumps(valid)

    def packed(choice: tuple[str, str, float]) -> Malformed:
        said, done, share = choice
        content = PACKERS[done](whole)
        same = PACKERS[said] is PACKERS[done]
        content = content[: int(len(content) * share)] if same else content
        return Malformed("wrongly packed", content, {**JSON, "content-encoding": said})

    # Neither at 1: a zstd frame says all at its last byte, and a gzip stream in its trailer.
    names, shares = st.sampled_from(list(PACKERS)), st.floats(0, 0.99)
    cut = st.tuples(names, shares).map(lambda choice: packed((choice[0], choice[0], choice[1])))
    return st.one_of(cut, st.tuples(names, names, shares).map(packed))


def bodies(valid: dict[str, Any], kinds: dict[str, Spoil]) -> Requests:
    """Malformed bodies in sound requests, each kind as often as another."""
    return st.sampled_from(sorted(kinds)).flatmap(
        lambda kind: kinds[kind](valid).map(lambda content: Malformed(kind, content))
    )


def examples(number: int, strategy: st.SearchStrategy[Any]) -> list[Any]:
    """Return that many examples, the same ones at every run."""
    drawn: list[Any] = []

    @settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(example: Any) -> None:
        drawn.append(example)

    draw()
    return drawn
