"""The README's tables of fields, part by part against the translators."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from codexia.dialects.chat import CHAT
from codexia.dialects.dialect import PreviousResponse
from codexia.dialects.images import IMAGES
from codexia.dialects.messages import MESSAGES
from codexia.dialects.responses import RESPONSES
from codexia.errors import BadRequest
from tests.dialects.documented_samples import BASES, SAMPLES
from tests.dialects.transcripts import TRANSCRIPTS, context, play

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codexia.dialects.dialect import Translation

Json = dict[str, Any]

README = Path(__file__).parents[2].joinpath("README.md").read_text()
DIALECTS = {
    "Messages": MESSAGES,
    "Chat Completions": CHAT,
    "Responses": RESPONSES,
    "Image generation": IMAGES,
}
NAME = re.compile(r"`([^`]+)`|(any other)")
FATE = re.compile(r"(passed|mapped|ignored|refused)(?: with `(\w+)`)?")
STORED = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}
CONTEXT = replace(context(), previous=PreviousResponse([STORED], "k"), referenced={"msg_1": STORED})
TEXT = {"type": "text", "text": "hello"}


def documented() -> Iterator[tuple[str, str, str, str, str]]:
    """Return heading, part, name, fate and error code of every name in the tables."""
    _, _, section = README.partition("\n## Fields, endpoint by endpoint\n")
    section = section.partition("\n## ")[0]
    for table in section.split("\n### ")[1:]:
        heading = table.partition("\n")[0]
        rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line[:1] == "|"]
        for part, names, told in rows[2:]:
            fate = FATE.match(told)
            assert fate, told
            for name in NAME.finditer(names):
                yield heading, part, name[0].strip("`"), fate[1], fate[2] or ""


ROWS = list(documented())


def translated(heading: str, fields: Json) -> Translation:
    return DIALECTS[heading].translate({**BASES[heading], **fields}, CONTEXT)


def sent(translation: Translation) -> bytes:
    """Return what would go to the backend."""
    images = getattr(translation, "images", None)
    way = (images.endpoint_body, images.number, images.partial_images) if images else ()
    return orjson.dumps((translation.request.body if translation.request else None, *way))


def effect(translation: Translation) -> tuple[Any, ...]:
    """Return all that a field can change: what is sent, and what the client gets."""
    events = play(translation.reply, [TRANSCRIPTS["01_text"]])
    return sent(translation), translation.stream, translation.store, events


def fields(heading: str, part: str, name: str, value: Any) -> Json:
    """Return the fields of a body with this part in it; None stands for its absence."""
    base = BASES[heading]
    match part.split():
        case ["field"]:
            parent, _, leaf = name.rpartition(".")
            return {parent: {**base.get(parent, {}), leaf: value}} if parent else {name: value}
        case ["tool"]:
            return {"tools": _with(base["tools"], value)}
        case ["item"]:
            return {"input": _with(base["input"], value)}
        case ["message"]:
            return {"messages": _with(base["messages"], value)}
        case [role, "member"]:
            return {"messages": [*base["messages"], {"role": role, "content": "ok", name: value}]}
        case [role, _]:
            return {
                "messages": [*base["messages"], {"role": role, "content": _with([TEXT], value)}]
            }
        case _:
            raise AssertionError(part)


def _with(values: list[Any], value: Any) -> list[Any]:
    return values if value is None else [*values, value]


def without(heading: str, part: str, name: str, value: Any) -> Json:
    """Return the fields of the body that the part was put into, or its member."""
    if part == "field":
        return {}
    if part.endswith("member"):
        return {"messages": [*BASES[heading]["messages"], {"role": "assistant", "content": "ok"}]}
    _, _, member = name.rpartition(".")
    rest = {key: value[key] for key in value if key != member} if "." in name else None
    return fields(heading, part, name, rest)


def test_there_is_a_sample_of_everything_that_is_documented_and_of_nothing_else():
    told = [(heading, part, name) for heading, part, name, _, _ in ROWS]
    assert sorted(told) == sorted(
        (heading, part, name)
        for heading, parts in SAMPLES.items()
        for part, samples in parts.items()
        for name in samples
    )


@pytest.mark.parametrize(("heading", "part", "name", "fate", "code"), ROWS)
def test_documented(heading: str, part: str, name: str, fate: str, code: str):
    value = SAMPLES[heading][part][name]
    given = fields(heading, part, name, value)
    if fate == "refused":
        with pytest.raises(BadRequest) as caught:
            translated(heading, given)
        error = caught.value
        assert str(error.param).startswith(name if part == "field" else "messages")
        assert code in {error.code, (error.details or {}).get("error_code"), ""}
        return
    got, plain = (
        translated(heading, given),
        translated(heading, without(heading, part, name, value)),
    )
    if fate == "ignored":
        assert sent(got) == sent(plain)
    else:
        assert effect(got) != effect(plain)
    if fate == "passed":
        assert orjson.dumps(value) in sent(got)
