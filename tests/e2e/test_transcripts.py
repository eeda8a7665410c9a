"""Every transcript of the backend, through the vendors' SDKs: one outcome, streamed and whole."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest

from codexia.simulator.transcripts import transcripts

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tests.e2e.processes import Gateway, Simulator

FAILURES = re.compile(r"08|1\d|22_")
"""Transcripts that end in an error, by the start of their names."""

BEYOND_THE_SCHEMA = {
    ("chat", "04_custom_tool"),  # streamed calls can only be functions
    ("responses", "05_web_search"),  # a search that has only begun must have an action
    ("messages", "06_image_generation"),  # there are no images in answers
}
"""What the SDKs read but their strict validation does not know."""

OWN_TO_EACH_ANSWER = {"id", "created", "created_at", "completed_at"}
ONLY_WHEN_STREAMED = {"parsed", "parsed_arguments", "parsed_output", "index"}


def ask(stem: str) -> list[Any]:
    return [{"role": "user", "content": f"PLAY[[{stem}]]"}]


async def message_streamed(claude: anthropic.AsyncAnthropic, stem: str) -> Any:
    async with claude.messages.stream(model="gpt-5.5", max_tokens=99, messages=ask(stem)) as stream:
        return await stream.get_final_message()


async def message_whole(claude: anthropic.AsyncAnthropic, stem: str) -> Any:
    return await claude.messages.create(model="gpt-5.5", max_tokens=99, messages=ask(stem))


async def chat_streamed(gpt: openai.AsyncOpenAI, stem: str) -> Any:
    async with gpt.chat.completions.stream(
        model="gpt-5.5", messages=ask(stem), stream_options={"include_usage": True}
    ) as stream:
        async for _ in stream:
            pass
        return stream.current_completion_snapshot


async def chat_whole(gpt: openai.AsyncOpenAI, stem: str) -> Any:
    return await gpt.chat.completions.create(model="gpt-5.5", messages=ask(stem))


async def response_streamed(gpt: openai.AsyncOpenAI, stem: str) -> Any:
    async with gpt.responses.stream(model="gpt-5.5", input=ask(stem)) as stream:
        events = [event async for event in stream]
    last: Any = events[-1]
    return last.response.error if last.type == "response.failed" else last.response


async def response_whole(gpt: openai.AsyncOpenAI, stem: str) -> Any:
    return await gpt.responses.create(model="gpt-5.5", input=ask(stem))


WAYS: dict[str, Any] = {
    "messages": (message_streamed, message_whole),
    "chat": (chat_streamed, chat_whole),
    "responses": (response_streamed, response_whole),
}


def sdk(gateway: Gateway, dialect: str, stem: str) -> Any:
    settings: dict[str, Any] = {
        "api_key": "local",
        "max_retries": 0,
        "_strict_response_validation": (dialect, stem) not in BEYOND_THE_SCHEMA,
    }
    if dialect == "messages":
        return anthropic.AsyncAnthropic(base_url=gateway.url, **settings)
    return openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", **settings)


async def outcome(asking: Awaitable[Any]) -> dict[str, Any]:
    """Return the answer or the error, without what differs between any two answers."""
    try:
        answer = comparable(
            (await asking).model_dump(mode="json", exclude_none=True, warnings=False)
        )
    except (anthropic.APIStatusError, openai.APIError) as error:
        told: Any = error.body
        return {"failed": told.get("error", told)["message"]}
    if answer.keys() == {"code", "message"}:
        return {"failed": answer["message"]}
    return {key: each for key, each in answer.items() if key not in OWN_TO_EACH_ANSWER}


def comparable(value: Any) -> Any:
    if isinstance(value, list):
        return [comparable(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: comparable(each)
        for key, each in value.items()
        if key not in ONLY_WHEN_STREAMED and each != ""  # which is how a stream says none
    }


async def both_outcomes(gateway: Gateway, dialect: str, stem: str) -> list[dict[str, Any]]:
    async with sdk(gateway, dialect, stem) as client:
        return await asyncio.gather(*(outcome(way(client, stem)) for way in WAYS[dialect]))


@pytest.mark.parametrize("stem", transcripts())
async def test_transcript_has_one_outcome(gateway: Gateway, simulator: Simulator, stem: str):
    seen = await asyncio.gather(*(both_outcomes(gateway, dialect, stem) for dialect in WAYS))
    for streamed, whole in seen:
        assert streamed == whole
        assert ("failed" in whole) == bool(FAILURES.match(stem))
    assert simulator.stats["violations"] == []
    assert simulator.stats["open_streams"] == 0
