"""One response from `response.created` to its terminal event, as a row of frames.

Token counts are made up by rules that a test can check:

* `input_tokens`: a quarter of the bytes of the decoded request body, at least 1;
* `cached_tokens`: what the same `session-id` sent before, at most this input, in steps of
  128 and nothing below 1,024;
* `output_tokens`: a quarter of the characters of texts and calls, at least 1, and the
  `reasoning_tokens`, 64 for each reasoning item.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from codexia.simulator.events import EventNumbering, unnumbered_frame
from codexia.simulator.items import (
    IMAGE_TOKENS,
    ImageCall,
    OutputItem,
    Reasoning,
    WebSearchCall,
    new_id,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

REASONING_TOKENS = 64
CACHE_STEP = 128
CACHE_MINIMUM = 1024


@dataclass(frozen=True, slots=True)
class InputTokens:
    """How many tokens came in, and how many of them were cached."""

    total: int
    cached: int

    @classmethod
    def of(cls, body_bytes: int, previous_total: int) -> InputTokens:
        """Return the counts of a body after one of `previous_total` tokens (0: none)."""
        total = max(1, body_bytes // 4)
        cached = min(total, previous_total) // CACHE_STEP * CACHE_STEP
        return cls(total, cached if cached >= CACHE_MINIMUM else 0)


class ResponseStream:
    """The frames of one response; ask once, in order."""

    def __init__(
        self, body: Mapping[str, Any], items: Sequence[OutputItem], input_tokens: InputTokens
    ) -> None:
        self._items = items
        self._input_tokens = input_tokens
        self._numbering = EventNumbering()
        self._echo = _echo(body)

    def frames(self) -> Iterator[bytes]:
        """Yield every frame; the echo of the request is in the first two and the last."""
        numbering = self._numbering
        for event in ("response.created", "response.in_progress"):
            yield numbering.frame(event, response=self._echo)
        for index, item in enumerate(self._items):
            yield from item.frames(numbering, index)
        done = {
            **self._echo,
            "status": "completed",
            "completed_at": int(time.time()),
            "service_tier": self._echo["service_tier"].replace("auto", "default"),
            "tool_usage": self._tool_usage(),
            "usage": self._usage(),
        }
        yield numbering.frame("response.completed", response=done)

    def failure(self, code: str, message: str, shape: str, number: int) -> bytes:
        """Return the frame that ends the response in an error; `number` is its place."""
        if shape == "error":
            kind = "service_unavailable_error"
            error = {"type": kind, "code": code, "message": message, "param": None}
            return unnumbered_frame("error", error=error, sequence_number=number)
        failed = {**self._echo, "status": "failed", "error": {"code": code, "message": message}}
        return unnumbered_frame("response.failed", response=failed, sequence_number=number)

    def _usage(self) -> dict[str, Any]:
        chars = sum(item.output_chars for item in self._items)
        thoughts = sum(isinstance(item, Reasoning) for item in self._items)
        output = max(1, chars // 4) + thoughts * REASONING_TOKENS
        given = self._input_tokens
        cached = {"cached_tokens": given.cached, "cache_write_tokens": 0}
        return {
            "input_tokens": given.total,
            "input_tokens_details": cached,
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": thoughts * REASONING_TOKENS},
            "total_tokens": given.total + output,
        }

    def _tool_usage(self) -> dict[str, Any]:
        images = sum(isinstance(item, ImageCall) for item in self._items)
        searches = sum(isinstance(item, WebSearchCall) for item in self._items)
        return _tool_usage(images * IMAGE_TOKENS, searches)


def _tool_usage(image_tokens: int = 0, searches: int = 0) -> dict[str, Any]:
    return {
        "image_gen": {
            "input_tokens": 0,
            "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
            "output_tokens": image_tokens,
            "output_tokens_details": {"image_tokens": image_tokens, "text_tokens": 0},
            "total_tokens": image_tokens,
        },
        "web_search": {"num_requests": searches},
    }


def _echo(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the response object as it is before there is output: the request, repeated.

    Instructions and tools can be 100 kB; they are encoded once for the three echoes.
    """
    reasoning: dict[str, Any] = body.get("reasoning") or {}
    text: dict[str, Any] = body.get("text") or {}
    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "background": False,
        "completed_at": None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": None,
        "instructions": orjson.Fragment(orjson.dumps(body.get("instructions") or "")),
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": body["model"],
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "presence_penalty": 0.0,
        "previous_response_id": None,
        "prompt_cache_key": body.get("prompt_cache_key"),
        "prompt_cache_retention": None,
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "safety_identifier": "user-simulated",
        "service_tier": body.get("service_tier") or "auto",
        "store": False,
        "temperature": 1.0,
        "text": {
            "format": orjson.Fragment(orjson.dumps(text.get("format") or {"type": "text"})),
            "verbosity": text.get("verbosity", "medium"),
        },
        "tool_choice": body.get("tool_choice", "auto"),
        "tool_usage": _tool_usage(),
        "tools": orjson.Fragment(orjson.dumps(body.get("tools") or [])),
        "top_logprobs": 0,
        "top_p": 0.98,
        "truncation": "disabled",
        "usage": None,
        "user": None,
        "metadata": {},
    }
