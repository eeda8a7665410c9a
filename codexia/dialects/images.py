"""Image generation: https://platform.openai.com/docs/api-reference/images/create."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from codexia import sse
from codexia.dialects.dialect import Dialect, Translation
from codexia.dialects.images_request import read_images_request
from codexia.dialects.images_stream import ImagesCollector, ImagesStream

if TYPE_CHECKING:
    from codexia.dialects.dialect import Context
    from codexia.dialects.images_request import ImagesRequest


@dataclass(frozen=True, slots=True)
class ImagesTranslation(Translation):
    """The way to one image by the hosted tool.

    Attributes:
        images: the request itself, for the ways to several and by the images endpoint.
        context: what it was translated with.
    """

    images: ImagesRequest = field(kw_only=True)
    context: Context = field(kw_only=True)

    def again(self) -> ImagesTranslation:
        """Return the way to one more image."""
        return _translation(self.images, self.context)


def translate(body: dict[str, Any], context: Context) -> ImagesTranslation:
    """Return the translation of one image generation request.

    Raises:
        BadRequest: the body is malformed or asks for what the backend cannot do.
    """
    return _translation(read_images_request(body, context.models), context)


def _translation(images: ImagesRequest, context: Context) -> ImagesTranslation:
    reply = ImagesStream(
        created_at=context.created_at, partial_images=images.partial_images, form=images.form
    )
    return ImagesTranslation(
        request=images.codex,
        reply=reply,
        collector=ImagesCollector(),
        stream=images.stream,
        model=images.codex.body["model"],
        images=images,
        context=context,
    )


IMAGES: Final = Dialect(
    name="images",
    envelope="openai",
    translate=translate,
    encode=sse.named,
    ping=sse.COMMENT_PING,
)
