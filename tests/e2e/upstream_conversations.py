"""Conversations with a tool in each turn, as clients of the three dialects hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import orjson

if TYPE_CHECKING:
    from tests.e2e.processes import Gateway

WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
DEADLINE_S = 30.0


def ask(gateway: Gateway, messages: str | list[Any], session: str, **fields: Any) -> httpx.Response:
    """Return the answer of the Messages dialect to a prompt, or to a whole history."""
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    metadata = {"user_id": f"user_session_{session}"}
    body = {"model": "gpt-5.5", "max_tokens": 4000, "messages": messages, "metadata": metadata}
    return _post(gateway, "/v1/messages", {**body, **fields})


def converse(
    gateway: Gateway,
    kind: str,
    session: str,
    turns: int,
    history: list[Any] | None = None,
) -> list[Any]:
    """Hold a conversation of so many prompts, each answered after a call; return its history."""
    history = [] if history is None else history
    for number in range(turns):
        CONVERSATIONS[kind](gateway, session, f"call get_weather, round {number}", history)
    return history


def _messages(gateway: Gateway, session: str, prompt: str, history: list[Any]) -> None:
    history.append({"role": "user", "content": prompt})
    tools = [{"name": "get_weather", "input_schema": WEATHER}]
    thinking = {"type": "enabled", "budget_tokens": 2000}
    while True:
        reply = ask(gateway, history, session, tools=tools, thinking=thinking)
        content = _whole(reply)["content"]
        history.append({"role": "assistant", "content": content})
        results = [
            {"type": "tool_result", "tool_use_id": block["id"], "content": "sunny"}
            for block in content
            if block["type"] == "tool_use"
        ]
        if not results:
            return
        history.append({"role": "user", "content": results})


def _chat(gateway: Gateway, session: str, prompt: str, history: list[Any]) -> None:
    history.append({"role": "user", "content": prompt})
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}
    body = {"model": "gpt-5.5", "prompt_cache_key": session, "tools": [tool]}
    while True:
        reply = _post(gateway, "/v1/chat/completions", {**body, "messages": history})
        message = _whole(reply)["choices"][0]["message"]
        history.append(message)
        calls = message.get("tool_calls") or []
        history += [
            {"role": "tool", "tool_call_id": call["id"], "content": "sunny"} for call in calls
        ]
        if not calls:
            return


def _responses(gateway: Gateway, session: str, prompt: str, history: list[Any]) -> None:
    history.append({"role": "user", "content": prompt})
    while True:
        response = _respond(gateway, session, input=history, store=False)
        history += response["output"]
        outputs = _outputs(response)
        history += outputs
        if not outputs:
            return


def _stored(gateway: Gateway, session: str, prompt: str, history: list[Any]) -> None:
    """Go on by `previous_response_id`, so that the gateway itself recalls the conversation."""
    new: list[Any] = [{"role": "user", "content": prompt}]
    while new:
        previous = history[-1] if history else None
        response = _respond(gateway, session, input=new, previous_response_id=previous)
        history.append(response["id"])
        new = _outputs(response)


def _respond(gateway: Gateway, session: str, **fields: Any) -> dict[str, Any]:
    tool = {"type": "function", "name": "get_weather", "parameters": WEATHER, "strict": False}
    body = {
        "model": "gpt-5.5",
        "prompt_cache_key": session,
        "tools": [tool],
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        **fields,
    }
    return _whole(_post(gateway, "/v1/responses", body))


def _outputs(response: dict[str, Any]) -> list[Any]:
    return [
        {"type": "function_call_output", "call_id": item["call_id"], "output": "sunny"}
        for item in response["output"]
        if item["type"] == "function_call"
    ]


def _post(gateway: Gateway, path: str, body: dict[str, Any]) -> httpx.Response:
    headers = {"content-type": "application/json"}
    return httpx.post(
        f"{gateway.url}{path}",
        content=orjson.dumps(body),
        headers=headers,
        trust_env=False,
        timeout=DEADLINE_S,
    )


def _whole(reply: httpx.Response) -> dict[str, Any]:
    assert reply.status_code == 200, reply.text
    return reply.json()


CONVERSATIONS = {
    "messages": _messages,
    "chat": _chat,
    "responses": _responses,
    "stored": _stored,
}
"""One turn of each kind: ask, call, ask again; the history grows by it."""
