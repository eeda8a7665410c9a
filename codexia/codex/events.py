"""Names of the backend's stream events.

Text arrives as `response.<part>.delta`, items open and close with `output_item.added` and
`.done`, exactly one terminal event ends the stream. Everything else is either part of the
prelude or unknown, and unknown events never matter.
"""

from __future__ import annotations

from typing import Final

COMPLETED: Final = frozenset({"response.completed", "response.done"})
"""Good ends; `response.done` is the older name."""

FAILED: Final = frozenset({"response.failed", "error"})

TERMINAL: Final = COMPLETED | FAILED | {"response.incomplete"}

PRELUDE: Final = frozenset(
    {
        "response.created",
        "response.in_progress",
        "response.queued",
        "response.metadata",
        "keepalive",
    }
)
"""Events before any content. They say nothing about whether the request will succeed."""


def is_private(event: str) -> bool:
    """Return whether an event is the backend's own business and no API client's."""
    return event.startswith(("codex.", "responsesapi.")) or event in {
        "response.metadata",
        "keepalive",
        "",
    }


def is_content(event: str) -> bool:
    """Return whether an event proves that the backend has begun to answer."""
    return event not in PRELUDE and event not in FAILED and not is_private(event)
