"""A silent backend does not leave the client in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anthropic
import openai
import pytest

from codexia.simulator.generate import stream_text
from tests.e2e.outcomes import STREAMED, outcomes
from tests.e2e.streams import session

if TYPE_CHECKING:
    from tests.e2e.processes import Gateway

TEXT = stream_text(20, 8)
WITH_A_SILENCE = "STREAM[[deltas=20 size=8]] FAULT[[stall after=8 for_s=0.7]]"
PINGS = {
    "chat": b": ping\n\n",
    "responses": b": ping\n\n",
    "messages": b'event: ping\ndata: {"type":"ping"}\n\n',
}


@pytest.fixture(scope="module")
def gateway_environment() -> dict[str, str]:
    return {"CODEXIA_PING_INTERVAL_S": "0.2"}


async def test_silence_is_filled_with_pings_of_the_dialect(gateway: Gateway):
    async with session() as http:
        for each in await outcomes(http, gateway.url, WITH_A_SILENCE, STREAMED):
            assert 2 <= each.raw.count(PINGS[each.ask.dialect]) <= 4
            assert each.whole
            assert each.text == TEXT


async def test_held_status_line_is_not_followed_by_pings(gateway: Gateway):
    prompt = "STREAM[[deltas=20 size=8]] FAULT[[stall after=2 for_s=0.4]]"
    async with session() as http:
        for each in await outcomes(http, gateway.url, prompt, STREAMED):
            assert b"ping" not in each.raw
            assert each.text == TEXT


def test_sdks_do_not_notice(gateway: Gateway):
    prompt = WITH_A_SILENCE
    with (
        anthropic.Anthropic(
            base_url=gateway.url, api_key="local", _strict_response_validation=True
        ) as claude,
        claude.messages.stream(
            model="gpt-5.5", max_tokens=99, messages=[{"role": "user", "content": prompt}]
        ) as message,
    ):
        assert "".join(message.text_stream) == TEXT
    with openai.OpenAI(
        base_url=f"{gateway.url}/v1", api_key="local", _strict_response_validation=True
    ) as gpt:
        with gpt.responses.stream(model="gpt-5.5", input=prompt) as response:
            assert response.get_final_response().output_text == TEXT
        with gpt.chat.completions.stream(
            model="gpt-5.5", messages=[{"role": "user", "content": prompt}]
        ) as chat:
            assert chat.get_final_completion().choices[0].message.content == TEXT
