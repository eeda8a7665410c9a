"""An exchange that is being recorded takes no more memory than there is for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from codexia_workers import draft as module
from codexia_workers.draft import CURRENT, Draft, noted_call

if TYPE_CHECKING:
    import pytest


async def sent(message: Any) -> Any:
    return message


def plenty(_: int) -> bool:
    return True


def test_parts_are_kept_with_their_times_and_the_end():
    draft = Draft(plenty)
    send = draft.noting(sent)
    for body, more in ((b"one", True), (b"two", False)):
        asyncio.run(send({"type": "http.response.body", "body": body, "more_body": more}))
    assert [part for _, part in draft.reply.parts] == [b"one", b"two"]
    assert draft.reply.parts[0][0] <= draft.reply.parts[1][0]
    assert draft.reply.end == "ended"
    assert draft.size_bytes == 6


def test_exchange_that_is_too_large_is_let_go_of(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_EXCHANGE_BYTES", 10)
    draft = Draft(plenty)
    draft.request.add(b"12345")
    call = draft.call("http://backend", {}, b"12345", "http")
    assert call is not None
    call.reply.add(b"6")
    assert draft.spoiled
    assert (draft.request.parts, draft.calls, draft.reply.parts) == ([], [], [])
    draft.reply.add(b"1")
    assert draft.reply.parts == []
    assert draft.call("http://backend", {}, b"", "http") is None


def test_exchange_without_room_beside_others_is_let_go_of():
    draft = Draft(lambda size_bytes: size_bytes < 5)
    draft.request.add(b"1234")
    draft.request.add(b"12345")
    assert draft.spoiled
    assert draft.request.parts == []
    assert draft.size_bytes == 4, "what was taken is what is given back"


def test_calls_belong_to_the_task_that_makes_them():
    draft = Draft(plenty)
    token = CURRENT.set(draft)
    try:
        assert noted_call("http://backend", {}, b"{}") is draft.calls[0]
    finally:
        CURRENT.reset(token)
    assert noted_call("http://backend", {}, b"{}") is None


def test_first_word_on_the_end_counts():
    draft = Draft(plenty)
    draft.reply.over("silent")
    draft.reply.over("broken")
    assert draft.reply.end == "silent"
