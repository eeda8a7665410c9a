"""What a Chat Completions stream may look like, and what the SDK makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codexia.dialects.chat import CHAT
from tests.dialects.openai_judge import Reply, reply_to, sdk
from tests.dialects.transcripts import TRANSCRIPTS, frame, frames

if TYPE_CHECKING:
    from codexia.sse import Frame

BODY = {
    "model": "gpt-5.5",
    "messages": [{"role": "user", "content": "hi"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}
GOOD = [name for name in TRANSCRIPTS if not name.startswith(("08", "22"))]
FAILING = [name for name in TRANSCRIPTS if name not in GOOD]


def replied(name: str, **fields: Any) -> Reply:
    return reply_to(CHAT, {**BODY, **fields}, frames(TRANSCRIPTS[name]))


def completed(**response: Any) -> Frame:
    return frame(
        type="response.completed", response={"status": "completed", "output": [], **response}
    )


def deltas(reply: Reply) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in reply.payloads() if chunk.get("choices")]


def assert_grammar(reply: Reply) -> None:
    """Accept: role, deltas, one finish_reason, usage, [DONE]; or an error object that ends it."""
    chunks = reply.payloads()
    if "error" in chunks[-1]:
        assert set(chunks.pop()) == {"error"}
        assert b"[DONE]" not in reply.wire
    else:
        assert reply.wire.endswith(b"data: [DONE]\n\n")
        usage = chunks.pop()
        assert usage["choices"] == []
        assert set(usage["usage"]) >= {"prompt_tokens", "completion_tokens", "total_tokens"}
        finish = chunks.pop()["choices"][0]
        assert finish["delta"] == {}
        assert finish["finish_reason"] in {"stop", "length", "tool_calls", "content_filter"}
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    for chunk in chunks:
        assert chunk["usage"] is None
        (choice,) = chunk["choices"]
        assert choice["finish_reason"] is None
    assert_calls_in_order(deltas(reply))


def assert_calls_in_order(some: list[dict[str, Any]]) -> None:
    named: list[str] = []
    for call in (call for delta in some for call in delta.get("tool_calls", ())):
        if "id" in call:
            assert call["index"] == len(named)
            assert call["type"] in {"function", "custom"}
            named.append(call["type"])
        else:
            assert set(call) == {"index", named[call["index"]]}


def assert_sdk_agrees(reply: Reply) -> None:
    with sdk(reply.wire).chat.completions.stream(
        model="m", messages=[], stream_options={"include_usage": True}
    ) as stream:
        stream.until_done()
        streamed = stream.get_final_completion().to_dict()
    whole = sdk(reply.whole).chat.completions.create(model="m", messages=[])
    assert comparable(streamed) == comparable(whole.to_dict()) == comparable(reply.whole)


def comparable(completion: dict[str, Any]) -> dict[str, Any]:
    """Return what both ways tell: the first chunk's empty content stands for none."""
    plain: Any = without_nulls(completion)
    message = plain["choices"][0]["message"]
    message["content"] = message.get("content", "")
    message.pop("parsed", None)
    for call in message.get("tool_calls", ()):
        call.pop("index", None)
        call.get("function", {}).pop("parsed_arguments", None)
    return plain


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(entry) for name, entry in value.items() if entry is not None}
    return [without_nulls(entry) for entry in value] if isinstance(value, list) else value
