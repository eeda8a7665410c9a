"""Responses events as one response object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codexia.sse import Frame

if TYPE_CHECKING:
    from codexia.sse import Event


class ResponsesCollector:
    """A `Collector` that keeps the latest response object, which the terminal event has whole."""

    def __init__(self) -> None:
        self._response: dict[str, Any] = {}

    def add(self, event: Event) -> None:
        """Take one event; those without a response object add nothing."""
        if not isinstance(event, Frame):
            self._response = event["response"]

    def result(self) -> dict[str, Any]:
        """Return the response object."""
        return self._response
