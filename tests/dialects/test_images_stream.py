"""The hosted image tool's events, as the vendor's SDK reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest

from codexia.dialects.images import IMAGES
from codexia.dialects.images_answer import answer_of_endpoint, joined
from codexia.errors import BadRequest, CodexiaError, RateLimited, UpstreamError
from tests.dialects.messages_replies import completed, done, spoken
from tests.dialects.openai_judge import sdk
from tests.dialects.transcripts import TRANSCRIPTS, context, frame, frames, play_frames

if TYPE_CHECKING:
    from codexia.sse import Event, Frame

TRANSCRIPT = frames(TRANSCRIPTS["06_image_generation"])
IMAGE = {"type": "image_generation_call", "result": "QUJD", "revised_prompt": "an apple"}


def events(*sent: Frame, **fields: Any) -> list[Event]:
    body = {"prompt": "an apple", "stream": True, **fields}
    return play_frames(IMAGES.translate(body, context()).reply, sent)


def partial(index: int, **fields: Any) -> Frame:
    kind = "response.image_generation_call.partial_image"
    return frame(type=kind, partial_image_index=index, partial_image_b64=f"cA{index}=", **fields)


def read(*sent: Frame, **fields: Any) -> list[Any]:
    client = sdk(IMAGES.encode(events(*sent, **fields)))
    return list(client.images.generate(prompt="an apple", stream=True))


def test_recorded_stream_with_partial_images():
    first, last = read(*TRANSCRIPT, partial_images=1)
    assert first.type == "image_generation.partial_image"
    assert (first.partial_image_index, first.size, first.quality) == (0, "1254x1254", "low")
    assert last.type == "image_generation.completed"
    assert last.b64_json == first.b64_json
    assert last.background == "opaque"
    assert last.created_at == 1_795_363_200
    assert last.usage.input_tokens == 27
    assert last.usage.total_tokens == last.usage.input_tokens + last.usage.output_tokens


def test_partial_images_that_nobody_asked_for_are_left_out():
    assert [each.type for each in read(*TRANSCRIPT)] == ["image_generation.completed"]


def test_no_more_partial_images_than_asked_for():
    seen = read(*map(partial, range(3)), done(IMAGE), completed(), partial_images=2)
    assert [each.partial_image_index for each in seen[:-1]] == [0, 1]
    assert seen[-1].type == "image_generation.completed"


def test_what_the_backend_leaves_out_is_as_the_client_asked():
    asked = {"size": "1024x1024", "quality": "high", "output_format": "webp"}
    [event] = read(done(IMAGE), completed(), **asked)
    assert (event.size, event.quality, event.output_format) == ("1024x1024", "high", "webp")
    assert event.background == "auto"
    assert event.usage.total_tokens == 0


def test_image_that_comes_only_with_the_end():
    [event] = read(completed(IMAGE))
    assert event.b64_json == "QUJD"


def test_incomplete_reply_with_an_image_is_an_answer():
    [event] = read(done(IMAGE), frame(type="response.incomplete", response={}))
    assert event.b64_json == "QUJD"


def test_failure_is_an_error_event():
    error = {"code": "rate_limit_exceeded", "message": "slow down"}
    failed = frame(type="response.failed", response={"status": "failed", "error": error})
    with pytest.raises(openai.APIError, match="slow down"):
        read(failed)


def raised(*sent: Frame) -> CodexiaError:
    reply = IMAGES.translate({"prompt": "x"}, context()).reply
    *before, last = sent
    for each in before:
        reply.feed(each)
    with pytest.raises(CodexiaError) as caught:
        reply.feed(last)
    return caught.value


def test_model_that_declines_is_a_bad_request_in_its_words():
    error = raised(done(spoken("I cannot draw this.")), completed())
    assert isinstance(error, BadRequest)
    assert error.message == "no image was made: I cannot draw this."


def test_end_without_image_or_words_is_the_backends_fault():
    assert isinstance(raised(completed()), UpstreamError)


def test_failure_says_what_it_is():
    assert isinstance(
        raised(frame(type="error", error={"code": "rate_limit_exceeded", "message": "slow"})),
        RateLimited,
    )


def test_whole_answer_of_a_stream_is_read_by_the_sdk():
    translation = IMAGES.translate({"prompt": "an apple"}, context())
    for event in play_frames(translation.reply, TRANSCRIPT):
        translation.collector.add(event)
    answer = sdk(translation.collector.result()).images.generate(prompt="an apple")
    assert answer.data
    assert answer.data[0].revised_prompt == "A single red apple on a white table"
    assert (answer.size, answer.quality, answer.output_format) == ("1254x1254", "low", "png")
    assert answer.usage
    assert answer.usage.input_tokens_details.text_tokens == 27


def test_reply_of_the_endpoint_is_read_by_the_sdk():
    reply = {
        "created": 5,
        "background": "auto",
        "quality": "auto",
        "size": "1024x1024",
        "data": [{"b64_json": "QUJD", "generation_id": "ig_1"}, {"url": "x"}],
        "usage": {"input_tokens": 3, "output_tokens": 4},
    }
    answer = sdk(answer_of_endpoint(reply, 1)).images.generate(prompt="an apple")
    assert [image.b64_json for image in answer.data or ()] == ["QUJD"]
    assert (answer.created, answer.size, answer.background) == (5, "1024x1024", None)
    assert answer.usage
    assert answer.usage.total_tokens == 7


@pytest.mark.parametrize("reply", [{}, {"data": []}, {"data": [{"b64_json": None}]}])
def test_reply_of_the_endpoint_without_an_image_is_its_fault(reply: dict[str, Any]):
    with pytest.raises(UpstreamError):
        answer_of_endpoint(reply, 1)


def test_joined_answers_have_all_images_and_all_tokens():
    details = {"image_tokens": 1, "text_tokens": 2}
    usage = {"input_tokens": 3, "output_tokens": 4, "input_tokens_details": details}
    one = answer_of_endpoint({"data": [{"b64_json": "QQ=="}], "usage": usage}, 1)
    two = answer_of_endpoint({"data": [{"b64_json": "Qg=="}], "usage": usage}, 1)
    whole = joined([one, two])
    assert [image["b64_json"] for image in whole["data"]] == ["QQ==", "Qg=="]
    assert whole["usage"] == {
        "input_tokens": 6,
        "output_tokens": 8,
        "total_tokens": 14,
        "input_tokens_details": {"image_tokens": 2, "text_tokens": 4},
    }
