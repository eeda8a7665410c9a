"""Token counts as the backend reports them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from codexia.codex.payload import child_at, number_at

if TYPE_CHECKING:
    from codexia.codex.payload import Json


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one response. Cached and written tokens are part of `input_tokens`."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    @classmethod
    def from_response(cls, response: Json) -> Usage:
        """Return the counts of a terminal event's `response`; zeros where it has none."""
        usage = child_at(response, "usage")
        prompt = child_at(usage, "input_tokens_details")
        answer = child_at(usage, "output_tokens_details")
        return cls(
            input_tokens=number_at(usage, "input_tokens"),
            output_tokens=number_at(usage, "output_tokens"),
            cached_tokens=number_at(prompt, "cached_tokens"),
            cache_write_tokens=number_at(prompt, "cache_write_tokens"),
            reasoning_tokens=number_at(answer, "reasoning_tokens"),
        )

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens
