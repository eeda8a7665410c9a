"""Image generation bodies, as the images endpoint and as the hosted tool of a response take them.

The endpoint needs no model and is the first choice. What it has no word for is asked of the
hosted tool: streaming, and any file format but PNG.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from codexia.codex.request import codex_request
from codexia.dialects.params import Param

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codexia.codex.request import CodexRequest
    from codexia.models import ModelTable

MAX_IMAGES: Final = 10
MAX_PARTIAL_IMAGES: Final = 3

IMAGE_MODEL: Final = "gpt-image-2"
IMAGE_MODELS: Final = ("gpt-image", "chatgpt-image")
"""How names of image models begin. Any other, such as those of retired ones, means the default."""

OLDER_QUALITIES: Final = {"standard": "auto", "hd": "high"}

INSTRUCTIONS: Final = (
    "Make one image with the image generation tool. Its prompt is the user's text, unchanged."
)


@dataclass(frozen=True, slots=True)
class ImagesRequest:
    """A body, read.

    Attributes:
        number: how many images are wanted.
        stream: whether they are streamed; then there is one.
        partial_images: how many unfinished ones may come before it.
        form: what they shall be like: size, quality, background, output_format.
        endpoint_body: for the images endpoint, all but `n`; None where only the tool will do.
        codex: asks the hosted tool for one image.
    """

    number: int
    stream: bool
    partial_images: int
    form: Mapping[str, str]
    endpoint_body: dict[str, Any] | None = field(repr=False)
    codex: CodexRequest


def read_images_request(body: dict[str, Any], models: ModelTable) -> ImagesRequest:
    """Return the request that a decoded body means.

    Raises:
        BadRequest: a field is missing, malformed or cannot be honoured; `param` names it.
    """
    request = Param(body)
    prompt = request["prompt"].text()
    if not prompt.strip():
        raise request["prompt"].invalid("it must say what the image shows")
    number = _within(request["n"], 1, 1, MAX_IMAGES)
    stream = request["stream"].flag()
    if stream and number > 1:
        raise request["n"].unsupported("a stream has one image; send the request once for each")
    form = _form(request)
    partial_images = _within(request["partial_images"], 0, 0, MAX_PARTIAL_IMAGES)
    compression = request["output_compression"]
    tool: dict[str, Any] = {"type": "image_generation", **form}
    if compression.present:
        tool["output_compression"] = _within(compression, 100, 0, 100)
    if stream and partial_images:
        tool["partial_images"] = partial_images
    plain = form.get("output_format", "png") == "png" and not compression.present
    return ImagesRequest(
        number=number,
        stream=stream,
        partial_images=partial_images,
        form=form,
        endpoint_body=_endpoint_body(request, prompt, form) if plain and not stream else None,
        codex=_tool_request(prompt, tool, models),
    )


def _form(request: Param) -> dict[str, str]:
    form: dict[str, str] = {}
    for name in ("size", "quality", "background", "output_format"):
        if value := request[name].optional_text():
            form[name] = value
    if "quality" in form:
        form["quality"] = OLDER_QUALITIES.get(form["quality"], form["quality"])
    return form


def _within(param: Param, default: int, least: int, most: int) -> int:
    number = param.number(default)
    if not least <= number <= most:
        raise param.invalid(f"expected an integer from {least} to {most}")
    return number


def _endpoint_body(request: Param, prompt: str, form: dict[str, str]) -> dict[str, Any]:
    model = request["model"].optional_text() or ""
    body: dict[str, Any] = {
        "prompt": prompt,
        "model": model if model.startswith(IMAGE_MODELS) else IMAGE_MODEL,
        "size": form.get("size", "auto"),
        "quality": form.get("quality", "auto"),
    }
    if "background" in form:
        body["background"] = form["background"]
    return body


def _tool_request(prompt: str, tool: dict[str, Any], models: ModelTable) -> CodexRequest:
    model = models.resolve(models.fallback)
    return codex_request(
        {
            "model": model.id,
            "instructions": INSTRUCTIONS,
            "input": [
                {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": prompt}],
                }
            ],
            "tools": [tool],
            "tool_choice": {"type": "image_generation"},
            "reasoning": {"effort": model.effort("none")},
        }
    )
