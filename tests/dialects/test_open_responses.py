"""Responses answers by the types of the Open Responses specification, whose readers are strict.

The specification knows fewer items, tools and events than the backend sends (no hosted tools); those that
it does not know are set aside, and everything else must be as it says.
"""

from __future__ import annotations

from typing import Any, Final

import openresponses_types
import pytest
from pydantic import BaseModel, ValidationError

from codexia.dialects.responses import RESPONSES
from tests.dialects.openai_judge import Reply, reply_to
from tests.dialects.transcripts import TRANSCRIPTS, frames

EVENTS: Final[dict[str, type[BaseModel]]] = {
    kind.value: model
    for name, model in vars(openresponses_types).items()
    if name.endswith("StreamingEvent")
    for kind in model.model_fields["type"].annotation
}
ITEMS: Final = {"message", "function_call", "function_call_output", "reasoning", "compaction"}
TOOLS: Final = {"function"}

BODIES: Final[dict[str, dict[str, Any]]] = {
    "bare": {"model": "gpt-5.5", "input": "hi"},
    "with tools": {
        "model": "gpt-5.5",
        "input": "hi",
        "instructions": "be brief",
        "tools": [{"type": "function", "name": "a", "parameters": {"type": "object"}}],
        "tool_choice": {"type": "function", "name": "a"},
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"verbosity": "low"},
        "temperature": 0.5,
        "max_output_tokens": 500,
        "metadata": {"who": "me"},
    },
}


def replied(transcript: str, body: str) -> Reply:
    return reply_to(RESPONSES, {**BODIES[body], "stream": True}, frames(TRANSCRIPTS[transcript]))


def specified(response: dict[str, Any]) -> dict[str, Any]:
    """Return a response object without the items and tools that the specification leaves out."""
    return {
        **response,
        "output": [item for item in response["output"] if item["type"] in ITEMS],
        "tools": [tool for tool in response["tools"] if tool["type"] in TOOLS],
    }


def judged(event: dict[str, Any]) -> bool:
    """Return whether the specification knows the event, having checked that it is as it says."""
    assert isinstance(event["sequence_number"], int)
    model = EVENTS.get(event["type"])
    if model is None or event.get("item", {}).get("type", "message") not in ITEMS:
        return False
    if "response" in event:
        event = {**event, "response": specified(event["response"])}
    model.model_validate(event)
    return True


def test_the_judge_knows_the_events_of_a_text_answer():
    events = replied("02_reasoning_text", "bare").payloads()
    assert all(judged(event) for event in events)


@pytest.mark.parametrize("field", sorted(openresponses_types.ResponseResource.model_fields))
def test_the_judge_misses_any_field_of_a_response(field: str):
    whole = specified(replied("01_text", "bare").whole)
    openresponses_types.ResponseResource.model_validate(whole)
    del whole[field]
    with pytest.raises(ValidationError):
        openresponses_types.ResponseResource.model_validate(whole)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("transcript", TRANSCRIPTS)
def test_events_carry_what_the_specification_requires(transcript: str, body: str):
    events = replied(transcript, body).payloads()
    known = [event["type"] for event in events if judged(event)]
    assert known[0] == "response.created"
    assert known[-1] in {"response.completed", "response.incomplete", "response.failed"}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("transcript", TRANSCRIPTS)
def test_responses_carry_what_the_specification_requires(transcript: str, body: str):
    whole = replied(transcript, body).whole
    openresponses_types.ResponseResource.model_validate(specified(whole))
