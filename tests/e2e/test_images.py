"""Images in every shape, by the vendors' SDKs against a real gateway."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from typing import TYPE_CHECKING, Any

import anthropic
import httpx
import openai
import pytest

from tests.e2e.processes import wait_until
from tests.e2e.streams import session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.processes import Gateway, Simulator

PNG = b"\x89PNG\r\n\x1a\n"
ENDPOINT = "POST /backend-api/codex/images/generations"
RESPONSES = "POST /backend-api/codex/responses"
IMAGE_TOKENS = 196
"""What the simulator says that one image costs."""


@pytest.fixture(scope="module")
def gpt(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{gateway.url}/v1",
        api_key="local",
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


@pytest.fixture(scope="module")
def claude(gateway: Gateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(
        base_url=gateway.url, api_key="local", _strict_response_validation=True
    ) as client:
        yield client


@pytest.fixture(autouse=True)
def no_violation(simulator: Simulator) -> Iterator[None]:
    yield
    assert simulator.stats["violations"] == []


def asked(simulator: Simulator) -> Counter[str]:
    """Return how often each way to an image was taken."""
    counted = Counter(simulator.stats["requests"])
    return Counter({way: counted[way] for way in (ENDPOINT, RESPONSES) if counted[way]})


def pngs(answer: openai.types.ImagesResponse) -> int:
    images = [base64.b64decode(image.b64_json or "") for image in answer.data or ()]
    assert all(image.startswith(PNG) for image in images)
    return len(images)


def test_images_come_from_the_endpoint_in_one_call(gpt: openai.OpenAI, simulator: Simulator):
    answer = gpt.images.generate(
        prompt="an apple",
        model="gpt-image-2",
        n=3,
        size="1536x1024",
        quality="high",
        background="transparent",
        response_format="b64_json",
    )
    assert pngs(answer) == 3
    assert (answer.size, answer.quality, answer.background) == ("1536x1024", "high", "transparent")
    assert answer.usage
    assert answer.usage.output_tokens == 3 * IMAGE_TOKENS
    assert asked(simulator) == {ENDPOINT: 1}


def test_missing_images_are_asked_for_one_by_one(gpt: openai.OpenAI, simulator: Simulator):
    answer = gpt.images.generate(prompt="IMAGES[[made=1]]", n=3)
    assert pngs(answer) == 3
    assert answer.usage
    assert answer.usage.output_tokens == 3 * IMAGE_TOKENS
    assert asked(simulator) == {ENDPOINT: 3}


@pytest.mark.parametrize("fault", ["404", "405", "500", "503"])
def test_hosted_tool_stands_in_for_the_endpoint(
    gpt: openai.OpenAI, simulator: Simulator, fault: str
):
    answer = gpt.images.generate(prompt=f"an apple IMAGES[[fault={fault}]]", n=2, size="1024x1024")
    assert pngs(answer) == 2
    assert answer.size == "1024x1024"
    assert answer.usage
    assert answer.usage.output_tokens == 2 * IMAGE_TOKENS
    assert asked(simulator) == {ENDPOINT: 2, RESPONSES: 2}


def test_other_formats_are_the_hosted_tools(gpt: openai.OpenAI, simulator: Simulator):
    answer = gpt.images.generate(prompt="an apple", output_format="webp", output_compression=50)
    assert pngs(answer) == 1
    assert answer.output_format == "webp"
    assert asked(simulator) == {RESPONSES: 1}
    body = simulator.requests()[-1]["body"]
    assert body["tools"] == [
        {"type": "image_generation", "output_format": "webp", "output_compression": 50}
    ]


def test_streamed_image_with_partial_images(gpt: openai.OpenAI, simulator: Simulator):
    stream = gpt.images.generate(prompt="an apple", stream=True, partial_images=2)
    *partials, last = list(stream)
    assert [each.type for each in partials] == ["image_generation.partial_image"] * 2
    assert [getattr(each, "partial_image_index", None) for each in partials] == [0, 1]
    assert last.type == "image_generation.completed"
    assert base64.b64decode(last.b64_json).startswith(PNG)
    assert last.usage.output_tokens == IMAGE_TOKENS
    assert asked(simulator) == {RESPONSES: 1}


def test_limit_of_the_endpoint_is_the_callers_to_read(gpt: openai.OpenAI, simulator: Simulator):
    with pytest.raises(openai.RateLimitError) as caught:
        gpt.images.generate(prompt="IMAGES[[fault=429]]")
    assert caught.value.code == "usage_limit_reached"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert asked(simulator) == {ENDPOINT: 1}


def test_failure_of_both_ways_is_a_bad_gateway(gpt: openai.OpenAI, simulator: Simulator):
    with pytest.raises(openai.InternalServerError) as caught:
        gpt.images.generate(prompt="IMAGES[[fault=500]] FAULT[[500]]", n=2)
    assert caught.value.status_code == 502
    assert asked(simulator)[ENDPOINT] == 2


def test_cut_stream_ends_in_an_error(gpt: openai.OpenAI):
    with pytest.raises(openai.APIError):
        list(gpt.images.generate(prompt="an apple FAULT[[cut after=5]]", stream=True))


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"n": 11}, "n"), ({"n": 2, "stream": True}, "n"), ({"partial_images": 4}, "partial_images")],
)
def test_refused_field_is_named(gpt: openai.OpenAI, fields: dict[str, Any], param: str):
    with pytest.raises(openai.BadRequestError) as caught:
        gpt.images.generate(prompt="an apple", **fields)
    assert caught.value.param == param


def test_refused_token_is_refreshed_once(gpt: openai.OpenAI, simulator: Simulator):
    simulator.expire_tokens()
    assert pngs(gpt.images.generate(prompt="an apple")) == 1
    assert simulator.stats["refreshes"] == 1


@pytest.mark.parametrize(
    "prompt",
    ["IMAGES[[wait_ms=30000]]", "IMAGES[[fault=404]] FAULT[[never]]"],
    ids=["endpoint", "hosted tool"],
)
async def test_client_gone_is_told_to_the_backend(
    gateway: Gateway, simulator: Simulator, prompt: str
):
    def open_streams(count: int) -> Any:
        return asyncio.to_thread(
            wait_until, lambda: simulator.stats["open_streams"] == count, f"{count} at work"
        )

    async with session() as http, asyncio.TaskGroup() as group:
        url = f"{gateway.url}/v1/images/generations"
        asking = group.create_task(http.post(url, json={"prompt": prompt}))
        await open_streams(1)
        asking.cancel()
        await open_streams(0)
    assert simulator.stats["disconnects"] == 1


def test_wrong_shape_is_a_bad_request_in_the_vendors_envelope(gateway: Gateway):
    reply = httpx.post(f"{gateway.url}/v1/images/generations", json={"prompt": {"text": "x"}})
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == "prompt"


def test_responses_stream_has_the_image_events(gpt: openai.OpenAI, simulator: Simulator):
    tools: Any = [{"type": "image_generation", "partial_images": 2}]
    with gpt.responses.stream(
        model="gpt-5.5", input="an apple", tools=tools, tool_choice={"type": "image_generation"}
    ) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    part = "response.image_generation_call"
    assert kinds.count(f"{part}.partial_image") == 2
    assert kinds.index(f"{part}.in_progress") < kinds.index(f"{part}.generating")
    [call] = [item for item in final.output if item.type == "image_generation_call"]
    assert base64.b64decode(call.result or "").startswith(PNG)
    assert simulator.requests()[-1]["body"]["tools"] == tools


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_tool_named_image_generation_gives_an_image_block(
    claude: anthropic.Anthropic, simulator: Simulator, stream: bool
):
    asked: Any = {
        "model": "gpt-5.5",
        "max_tokens": 999,
        "messages": [{"role": "user", "content": "an apple"}],
        "tools": [{"name": "image_generation", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "tool", "name": "image_generation"},
    }
    # The vendor's own answers have no image blocks, so its types know none.
    plain = claude.with_options()
    plain._strict_response_validation = False
    if stream:
        with plain.messages.stream(**asked) as messages:
            final: Any = messages.get_final_message()
    else:
        final = plain.messages.create(**asked)
    [image] = [block for block in final.content if block.type == "image"]
    source = image.source if isinstance(image.source, dict) else image.source.model_dump()
    assert source["media_type"] == "image/png"
    assert base64.b64decode(source["data"]).startswith(PNG)
    assert final.stop_reason == "end_turn"
    assert simulator.requests()[-1]["body"]["tools"] == [{"type": "image_generation"}]
