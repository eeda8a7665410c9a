"""Batches as clients make them, in both dialects, and what is waited for."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import orjson

from tests.e2e.processes import wait_until

if TYPE_CHECKING:
    import anthropic
    import openai

MODEL = "gpt-5.5"


def messages_request(custom_id: str, prompt: str, **fields: Any) -> dict[str, Any]:
    """Return one request of Anthropic's."""
    messages = [{"role": "user", "content": prompt}]
    params = {"model": MODEL, "max_tokens": 99, "messages": messages, **fields}
    return {"custom_id": custom_id, "params": params}


def openai_line(custom_id: str, url: str, prompt: str, **fields: Any) -> dict[str, Any]:
    """Return one line of OpenAI's."""
    asked = {"input": prompt} if url == "/v1/responses" else {}
    asked = asked or {"messages": [{"role": "user", "content": prompt}]}
    body = {"model": MODEL, **asked, **fields}
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": body}


def jsonl(lines: list[dict[str, Any]]) -> bytes:
    """Return lines as a file has them."""
    return b"".join(orjson.dumps(line) + b"\n" for line in lines)


def upload(client: openai.OpenAI, content: bytes, name: str = "in.jsonl") -> str:
    """Return the id of a file that was uploaded for batches."""
    return client.files.create(file=(name, io.BytesIO(content)), purpose="batch").id


def ended(client: anthropic.Anthropic, batch_id: str, deadline_s: float = 20.0) -> Any:
    """Return a batch of Anthropic's once it has ended, as clients poll for it."""

    def polled() -> Any:
        batch = client.messages.batches.retrieve(batch_id)
        return batch if batch.processing_status == "ended" else None

    return wait_until(polled, "the batch ends", deadline_s)


def over(client: openai.OpenAI, batch_id: str, deadline_s: float = 20.0) -> Any:
    """Return a batch of OpenAI's once it is over."""

    def polled() -> Any:
        batch = client.batches.retrieve(batch_id)
        return batch if batch.status in {"completed", "failed", "expired", "cancelled"} else None

    return wait_until(polled, "the batch is over", deadline_s)
