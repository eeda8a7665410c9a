"""Whole answers of `POST /v1/images/generations`.

They come from the images endpoint, from streams of the hosted tool, or from several of them
together. Images are always base64: nothing here could serve them under an address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codexia.codex.payload import Json, child_at, children_at, number_at, text_at
from codexia.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Sequence

FORM: Final = ("background", "output_format", "quality", "size")


def answer_of_endpoint(reply: Json, created_at: int) -> Json:
    """Return the answer that a reply of the images endpoint makes.

    Raises:
        UpstreamError: there is no image in it.
    """
    images = [image for image in children_at(reply, "data") if text_at(image, "b64_json")]
    if not images:
        raise UpstreamError("the Codex backend answered without an image")
    created = number_at(reply, "created") or created_at
    return _answer(created, images, reply, image_usage(child_at(reply, "usage")))


def answer_of_event(event: Json) -> Json:
    """Return the answer that an `image_generation.completed` event makes."""
    return _answer(event["created_at"], [event], event, event["usage"])


def joined(answers: Sequence[Json]) -> Json:
    """Return one answer with the images of all, and their tokens together."""
    whole = {**answers[0], "data": [image for answer in answers for image in answer["data"]]}
    return whole | {"usage": _usage_of([answer["usage"] for answer in answers])}


def image_usage(counts: Json) -> Json:
    """Return the backend's token counts with every member that clients insist on."""
    return _usage_of([counts])


def _answer(created: int, images: list[Json], form: Json, usage: Json) -> Json:
    # `auto` is what may be asked for, and no word of an answer.
    said = {name: text_at(form, name) for name in FORM if text_at(form, name) not in ("", "auto")}
    return {"created": created, "data": [_image(image) for image in images], **said, "usage": usage}


def _image(image: Json) -> Json:
    return {name: image[name] for name in ("b64_json", "revised_prompt") if text_at(image, name)}


def _usage_of(counts: Sequence[Json]) -> Json:
    details = [child_at(each, "input_tokens_details") for each in counts]
    tokens = _summed(counts, "input_tokens", "output_tokens")
    return {
        **tokens,
        "total_tokens": sum(tokens.values()),
        "input_tokens_details": _summed(details, "image_tokens", "text_tokens"),
    }


def _summed(counts: Sequence[Json], *names: str) -> dict[str, int]:
    return {name: sum(number_at(each, name) for each in counts) for name in names}
