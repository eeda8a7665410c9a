"""The hosted image tool's events as image generation events.

| backend | client |
|---|---|
| `response.image_generation_call.partial_image` | `image_generation.partial_image` |
| `response.output_item.done` of the tool | held until the tokens are known |
| `response.completed` | `image_generation.completed` |
| a failure, or an end without an image | `error` |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codexia.codex.events import COMPLETED, FAILED
from codexia.codex.failures import failure_of_event
from codexia.codex.payload import Json, child_at, children_at, number_at, text_at
from codexia.codex.usage import Usage
from codexia.dialects.images_answer import FORM, answer_of_event, image_usage
from codexia.errors import BadRequest, UpstreamError, openai_envelope
from codexia.sse import Frame

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codexia.errors import CodexiaError
    from codexia.sse import Event

PARTIAL: Final = "response.image_generation_call.partial_image"
ITEM_DONE: Final = "response.output_item.done"
ENDS: Final = COMPLETED | {"response.incomplete"}

DEFAULTS: Final = {
    "background": "auto",
    "output_format": "png",
    "quality": "auto",
    "size": "auto",
}


class ImagesStream:
    """A `ReplyStream` that writes image generation events.

    Attributes:
        ended: the terminal event was returned.
        usage: token counts of the model, zeros until the backend told them.
        served_model: the model that the backend says it used.
    """

    def __init__(self, *, created_at: int, partial_images: int, form: Mapping[str, str]) -> None:
        self.ended = False
        self.usage = Usage()
        self.served_model = ""
        self._created_at = created_at
        self._partial_images = partial_images
        self._form = {**DEFAULTS, **form}
        self._image: Json = {}
        self._said = ""

    def start(self) -> list[Event]:
        """Return nothing: the first event is the first image."""
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Return the events that one frame causes, maybe none.

        Raises:
            CodexiaError: the frame is a failure, is not JSON, or ends the reply without an image.
        """
        if self.ended:
            return []
        if frame.event == PARTIAL:
            return self._partial(frame.json())
        if frame.event == ITEM_DONE:
            self._note(child_at(frame.json(), "item"))
        elif frame.event in ENDS:
            return self._end(frame.json())
        elif frame.event in FAILED:
            raise failure_of_event(frame.json())
        return []

    def fail(self, error: CodexiaError) -> list[Event]:
        """Return the `error` event that ends a broken stream."""
        if self.ended:
            return []
        self.ended = True
        return [{"type": "error", **openai_envelope(error)}]

    def _partial(self, payload: Json) -> list[Event]:
        index = number_at(payload, "partial_image_index")
        if index >= self._partial_images:
            return []
        event = self._event("partial_image", payload, text_at(payload, "partial_image_b64"))
        return [{**event, "partial_image_index": index}]

    def _note(self, item: Json) -> None:
        if text_at(item, "result"):
            self._image = item
        for part in children_at(item, "content"):
            self._said += text_at(part, "text") or text_at(part, "refusal")

    def _end(self, payload: Json) -> list[Event]:
        response = child_at(payload, "response")
        if text_at(response, "status") == "failed":
            raise failure_of_event(payload)
        self.usage = Usage.from_response(response)
        self.served_model = text_at(response, "model")
        if not self._image:
            for item in children_at(response, "output"):
                self._note(item)
        if not self._image:
            raise self._no_image()
        self.ended = True
        event = self._event("completed", self._image, text_at(self._image, "result"))
        # Not in the vendor's event, but in the answer that is not streamed.
        if revised_prompt := text_at(self._image, "revised_prompt"):
            event["revised_prompt"] = revised_prompt
        made = child_at(child_at(response, "tool_usage"), "image_gen")
        return [{**event, "usage": image_usage(made)}]

    def _event(self, kind: str, form: Json, image: str) -> Json:
        return {
            "type": f"image_generation.{kind}",
            "b64_json": image,
            "created_at": self._created_at,
            **{name: text_at(form, name) or self._form[name] for name in FORM},
        }

    def _no_image(self) -> CodexiaError:
        if self._said:
            # The model declined. Asking once more would only cost more.
            return BadRequest(f"no image was made: {self._said}", code="image_not_generated")
        return UpstreamError("the Codex backend answered without an image")


class ImagesCollector:
    """A `Collector` of the whole answer, which the last event has."""

    def __init__(self) -> None:
        self._last: Json = {}

    def add(self, event: Event) -> None:
        """Take one event."""
        if not isinstance(event, Frame):
            self._last = event

    def result(self) -> Json:
        """Return the answer of one image."""
        return answer_of_event(self._last)
