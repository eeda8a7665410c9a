"""The bare translator against the simulator, read by the vendors' SDKs."""

from __future__ import annotations

import anthropic
import openai
import pytest

from bench.opponents.bare import BareTranslator
from bench.processes import Simulator

PROMPT = "STREAM[[deltas=30 gap_ms=0 size=8]]"
TEXT = "".join(f"w{number:06d} " for number in range(30))


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Where it listens."""
    scratch = tmp_path_factory.mktemp("bare")
    with Simulator() as simulator, BareTranslator().start(scratch, simulator) as bare:
        yield bare.lanes[0].url.removesuffix("/v1/messages")


def test_messages_are_what_anthropics_sdk_reads(address):
    with anthropic.Anthropic(base_url=address, api_key="none") as client:
        for _ in range(2):  # over one kept connection, and over a pooled one to the backend
            with client.messages.stream(
                model="gpt-5.5",
                max_tokens=100,
                system="Be brief.",
                messages=[{"role": "user", "content": PROMPT}],
            ) as stream:
                message = stream.get_final_message()
            assert [block.text for block in message.content] == [TEXT]
            assert message.stop_reason == "end_turn"
            assert message.usage.output_tokens > 0


def test_chat_is_what_openais_sdk_reads(address):
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none") as client:
        chunks = client.chat.completions.create(
            model="gpt-5.5",
            stream=True,
            messages=[
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": PROMPT},
            ],
        )
        choices = [chunk.choices[0] for chunk in chunks]
    assert "".join(choice.delta.content or "" for choice in choices) == TEXT
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
