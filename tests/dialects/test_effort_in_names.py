"""An effort at the end of a model's name, in every dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codexia.dialects.chat import CHAT
from codexia.dialects.messages import MESSAGES
from codexia.dialects.responses import RESPONSES
from tests.dialects.transcripts import context

if TYPE_CHECKING:
    from codexia.dialects.dialect import Dialect

ASKED = [{"role": "user", "content": "hi"}]
BODIES: dict[str, dict[str, Any]] = {
    "chat": {"messages": ASKED},
    "messages": {"messages": ASKED, "max_tokens": 9},
    "responses": {"input": "hi"},
}
EXPLICIT: dict[str, dict[str, Any]] = {
    "chat": {"reasoning_effort": "low"},
    "messages": {"output_config": {"effort": "low"}},
    "responses": {"reasoning": {"effort": "low"}},
}


def sent(dialect: Dialect, model: str, **fields: Any) -> tuple[str, str | None]:
    """Return the model and the effort that the backend is asked for."""
    body = {**BODIES[dialect.name], "model": model, **fields}
    request = dialect.translate(body, context()).request
    assert request
    return request.body["model"], (request.body.get("reasoning") or {}).get("effort")


@pytest.mark.parametrize("dialect", [CHAT, MESSAGES, RESPONSES], ids=lambda each: each.name)
class TestEveryDialect:
    def test_name_gives_the_effort(self, dialect: Dialect):
        assert sent(dialect, "gpt-5.5-high") == ("gpt-5.5", "high")

    def test_effort_is_clamped(self, dialect: Dialect):
        assert sent(dialect, "gpt-5.5-minimal") == ("gpt-5.5", "low")

    def test_plain_name_leaves_it_to_the_backend(self, dialect: Dialect):
        assert sent(dialect, "gpt-5.5") == ("gpt-5.5", None)

    def test_explicit_effort_wins(self, dialect: Dialect):
        assert sent(dialect, "gpt-5.5-high", **EXPLICIT[dialect.name]) == ("gpt-5.5", "low")


def test_name_beats_a_thinking_budget():
    thinking = {"type": "enabled", "budget_tokens": 1024}
    assert sent(MESSAGES, "gpt-5.5-high", thinking=thinking) == ("gpt-5.5", "high")


def test_name_keeps_the_other_reasoning_fields():
    body = {**BODIES["responses"], "model": "gpt-5.5-high", "reasoning": {"summary": "auto"}}
    request = RESPONSES.translate(body, context()).request
    assert request
    assert request.body["reasoning"] == {"summary": "auto", "effort": "high"}
