"""The one tokenizer, against tiktoken's own definition of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from codexia_supervisor import token_counter
from codexia_supervisor.token_counter import (
    MAX_TOOLS,
    PIECE_CHARS,
    TokenCounter,
    VocabularyDamaged,
    load_encoding,
)
from tests.reference_tokens import o200k, tokens

if TYPE_CHECKING:
    from tiktoken import Encoding

PROSE = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.fixture(scope="module")
def encoding() -> Encoding:
    return load_encoding()


@pytest.fixture
def counter(encoding: Encoding, monkeypatch: pytest.MonkeyPatch) -> TokenCounter:
    monkeypatch.setattr(token_counter, "load_encoding", lambda: encoding)
    return TokenCounter()


@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        "don't WE'LL CamelCase x1234567 \t\n\n  ...---!!!\r\n",
        "漢字かな交じり文 Ελληνικά العربية हिन्दी 😀👩‍👩‍👧",
        "a\u0301\u00a0\u3000\u2028b",
    ],
)
def test_tokens_are_those_of_tiktokens_own_definition(encoding: Encoding, text: str):
    assert encoding.encode_ordinary(text) == o200k().encode_ordinary(text)


async def test_texts_and_tools_are_counted_each_by_itself(counter: TokenCounter):
    assert await counter.count(["hello wor", "ld"], ["one tool"]) == tokens(
        "hello wor", "ld", "one tool"
    )
    assert await counter.count([], []) == 0


async def test_control_tokens_count_as_the_text_that_they_are(counter: TokenCounter):
    assert await counter.count(["<|endoftext|>"], []) == tokens("<|endoftext|>") > 1


async def test_tools_that_come_again_are_not_counted_again(
    counter: TokenCounter, encoding: Encoding, monkeypatch: pytest.MonkeyPatch
):
    counted: list[str] = []

    class Watched:
        def encode_ordinary(self, text: str) -> list[int]:
            counted.append(text)
            return encoding.encode_ordinary(text)

    monkeypatch.setattr(token_counter, "load_encoding", Watched)
    first = await counter.count(["foo"], ["tool a", "tool b", "tool a"])
    second = await counter.count(["foo"], ["tool a", "tool b", "tool a"])
    assert first == second == tokens("foo", "tool a", "tool b", "tool a")
    assert sorted(counted) == ["foo", "foo", "tool a", "tool b"]


async def test_no_more_tools_are_remembered_than_there_is_room_for(counter: TokenCounter):
    tools = [f"tool {number}" for number in range(MAX_TOOLS + 500)]
    assert await counter.count([], tools) == tokens(*tools)
    assert len(counter._tool_tokens) == MAX_TOOLS
    assert await counter.count([], tools[-1:]) == tokens(tools[-1])


@pytest.mark.parametrize("text", [" " * 1_000_000, "\u3000" * 1_000_000, "ab" * 500_000])
async def test_a_million_characters_of_one_kind_are_counted(counter: TokenCounter, text: str):
    expected = tokens(text[:PIECE_CHARS]) * len(text) / PIECE_CHARS
    assert await counter.count([text], []) == pytest.approx(expected, rel=0.01)


async def test_cutting_a_long_text_changes_next_to_nothing(counter: TokenCounter):
    text = PROSE * 50
    assert await counter.count([text], []) == pytest.approx(tokens(text), rel=0.001)


async def test_short_count_does_not_wait_for_a_long_one(counter: TokenCounter):
    async with asyncio.TaskGroup() as group:
        long = group.create_task(counter.count([PROSE * 400], []))
        await counter.count(["begun"], [])
        assert await counter.count(["foo"], []) == 1
        assert not long.done()


async def test_damaged_vocabulary_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(token_counter, "VOCABULARY_SHA256", "0" * 64)
    with pytest.raises(VocabularyDamaged, match="install codexia-gateway again"):
        await TokenCounter().count(["foo"], [])
