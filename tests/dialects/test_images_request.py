"""Every field of an image generation body."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from codexia.dialects.images import IMAGES
from codexia.dialects.images_request import ImagesRequest, read_images_request
from codexia.errors import BadRequest
from codexia.models import ModelTable
from tests.dialects.openai_mutations import refusal, spoilt

PLAIN = {"prompt": "an apple", "model": "gpt-image-2", "size": "auto", "quality": "auto"}
TOOL = {"type": "image_generation"}


def read(**fields: Any) -> ImagesRequest:
    return read_images_request({"prompt": "an apple", **fields}, ModelTable())


def test_prompt_alone_goes_to_the_endpoint():
    request = read()
    assert request.endpoint_body == PLAIN
    assert (request.number, request.stream) == (1, False)


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        pytest.param(
            {"model": "gpt-image-2.5-flare"}, {"model": "gpt-image-2.5-flare"}, id="model"
        ),
        pytest.param(
            {"model": "chatgpt-image-latest"}, {"model": "chatgpt-image-latest"}, id="latest"
        ),
        pytest.param({"model": "dall-e-3"}, {}, id="retired model"),
        pytest.param({"model": "gpt-5.5"}, {}, id="model of text"),
        pytest.param({"size": "1536x1024"}, {"size": "1536x1024"}, id="size"),
        pytest.param({"quality": "low"}, {"quality": "low"}, id="quality"),
        pytest.param({"quality": "hd"}, {"quality": "high"}, id="quality hd"),
        pytest.param({"quality": "standard"}, {}, id="quality standard"),
        pytest.param({"background": "transparent"}, {"background": "transparent"}, id="background"),
        pytest.param({"output_format": "png"}, {}, id="output_format png"),
        pytest.param({"response_format": "url"}, {}, id="response_format"),
        pytest.param({"moderation": "low"}, {}, id="moderation"),
        pytest.param({"style": "vivid", "user": "u", "new": 1}, {}, id="no effect"),
        pytest.param({"partial_images": 2}, {}, id="partial_images without stream"),
        pytest.param({"stream": False, "size": None, "n": None}, {}, id="nulls"),
    ],
)
def test_field_of_the_endpoint(field: dict[str, Any], changed: dict[str, Any]):
    assert read(**field).endpoint_body == {**PLAIN, **changed}


@pytest.mark.parametrize(
    ("fields", "tool"),
    [
        pytest.param({"stream": True}, {}, id="stream"),
        pytest.param(
            {"stream": True, "partial_images": 3}, {"partial_images": 3}, id="partial_images"
        ),
        pytest.param({"output_format": "webp"}, {"output_format": "webp"}, id="output_format"),
        pytest.param(
            {"output_compression": 50}, {"output_compression": 50}, id="output_compression"
        ),
        pytest.param(
            {"stream": True, "size": "1024x1024", "quality": "hd", "background": "opaque"},
            {"size": "1024x1024", "quality": "high", "background": "opaque"},
            id="form",
        ),
    ],
)
def test_what_only_the_hosted_tool_can_do(fields: dict[str, Any], tool: dict[str, Any]):
    request = read(**fields)
    assert request.endpoint_body is None
    assert request.codex.body["tools"] == [{**TOOL, **tool}]


def test_hosted_tool_is_forced_on_the_fallback_model_with_the_prompt():
    body = read().codex.body
    assert body["model"] == "gpt-5.5"
    assert body["tool_choice"] == TOOL
    assert body["input"][-1]["content"] == [{"type": "input_text", "text": "an apple"}]
    assert body["reasoning"] == {"effort": "low"}


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        pytest.param({"prompt": None}, "prompt", "missing_required_parameter", id="no prompt"),
        pytest.param({"prompt": " "}, "prompt", "invalid_value", id="empty prompt"),
        pytest.param({"prompt": ["x"]}, "prompt", "invalid_type", id="prompt not a string"),
        pytest.param({"n": 0}, "n", "invalid_value", id="n too small"),
        pytest.param({"n": 11}, "n", "invalid_value", id="n too large"),
        pytest.param({"n": "2"}, "n", "invalid_type", id="n not a number"),
        pytest.param({"n": 2, "stream": True}, "n", "unsupported_parameter", id="n of a stream"),
        pytest.param({"partial_images": 4}, "partial_images", "invalid_value", id="partial_images"),
        pytest.param(
            {"output_compression": 101}, "output_compression", "invalid_value", id="compression"
        ),
        pytest.param({"size": 1024}, "size", "invalid_type", id="size"),
        pytest.param({"model": 5}, "model", "invalid_type", id="model"),
        pytest.param({"stream": "yes"}, "stream", "invalid_type", id="stream"),
    ],
)
def test_field_at_fault_is_named(fields: dict[str, Any], param: str, code: str):
    with pytest.raises(BadRequest) as caught:
        read(**fields)
    assert (caught.value.param, caught.value.code) == (param, code)


EVERYTHING = {
    "prompt": "an apple",
    "model": "gpt-image-2",
    "n": 1,
    "size": "auto",
    "quality": "auto",
    "background": "auto",
    "output_format": "webp",
    "output_compression": 90,
    "partial_images": 1,
    "response_format": "b64_json",
    "stream": True,
}


def test_the_body_with_everything_is_valid():
    assert refusal(IMAGES, EVERYTHING) is None


@settings(max_examples=1000)
@given(body=spoilt(EVERYTHING))
def test_a_spoilt_body_is_a_bad_request_or_none_at_all(body: dict[str, Any]):
    error = refusal(IMAGES, body)
    assert error is None or (error.param and error.code)
