"""A recording without its content, for those who would rather not hand on what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from codexia.recordings.masking import without_content
from codexia.recordings.recording import Reply, Request

if TYPE_CHECKING:
    from codexia.recordings.recording import Recording

Part = TypeVar("Part", Request, Reply)


def stripped(recording: Recording) -> Recording:
    """Return a recording without texts; what has no texts any more comes back as it is."""
    if not recording.content:
        return recording
    calls = tuple(
        call.model_copy(update={"request": _without(call.request), "reply": _without(call.reply)})
        for call in recording.upstream
    )
    return recording.model_copy(
        update={
            "content": False,
            "request": _without(recording.request),
            "upstream": calls,
            "reply": _without(recording.reply),
        }
    )


def _without(part: Part) -> Part:
    body = without_content(part.body.encode()).decode("utf-8", "replace")
    return part.model_copy(update={"body": body})
