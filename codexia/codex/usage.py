"""Token counts as the backend reports them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one response. Cached and written tokens are part of `input_tokens`."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    @classmethod
    def from_response(cls, response: dict[str, Any]) -> Usage:
        """Return the counts of a terminal event's `response`; zeros where it has none."""
        usage: dict[str, Any] = response.get("usage") or {}
        prompt: dict[str, Any] = usage.get("input_tokens_details") or {}
        answer: dict[str, Any] = usage.get("output_tokens_details") or {}
        return cls(
            input_tokens=usage.get("input_tokens") or 0,
            output_tokens=usage.get("output_tokens") or 0,
            cached_tokens=prompt.get("cached_tokens") or 0,
            cache_write_tokens=prompt.get("cache_write_tokens") or 0,
            reasoning_tokens=answer.get("reasoning_tokens") or 0,
        )

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens
