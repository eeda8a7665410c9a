"""Responses request bodies as Codex requests.

The backend speaks this dialect itself, so a request passes as it is but for what the
backend refuses: a string as input, `system` messages, ids that it did not make, reasoning
that it could not read, fields that it does not know. What it cannot honour and what would
change the answer is refused here; the rest is dropped, and echoed in the response.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from codexia.codex.request import codex_request
from codexia.codex.upstream import PASSED_HEADERS
from codexia.dialects.allowed_tools import Tool, only_allowed
from codexia.dialects.params import Param
from codexia.dialects.responses_input import input_items
from codexia.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codexia.codex.request import CodexRequest
    from codexia.dialects.dialect import Context
    from codexia.models import Model

SESSION_HEADERS: Final = (
    "session-id",
    "session_id",
    "thread-id",
    "x-session-affinity",
    "x-session-id",
)
"""`x-client-request-id` is not among them: most clients that send one make it anew each time."""

ECHOED: Final = (
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "previous_response_id",
    "prompt_cache_key",
    "safety_identifier",
    "temperature",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
)
"""Request fields that the response repeats as the client sent them, honoured or not."""


@dataclass(frozen=True, slots=True)
class ResponsesRequest:
    """A Responses request, read.

    Attributes:
        codex: what goes to the backend.
        requested_model: the client's own name for the model.
        stream: whether the answer is streamed.
        store: whether the client may come back to the answer; OpenAI's default is yes.
        echo: response fields that repeat the request.
    """

    codex: CodexRequest
    requested_model: str
    stream: bool
    store: bool
    echo: Mapping[str, Any] = field(repr=False)


def read_responses_request(body: dict[str, Any], context: Context) -> ResponsesRequest:
    """Return the request that a decoded body means.

    Raises:
        BadRequest: a field is missing, malformed or cannot be honoured; `param` names it.
    """
    request = Param(body)
    _refuse_what_changes_the_answer(request)
    model = context.models.resolve(request["model"].text())
    _check_types(request)
    tools, tool_choice = _tools(request)
    fields = {
        **body,
        "model": model.id,
        "input": _input(request, context),
        "tools": tools,
        "tool_choice": tool_choice,
        "reasoning": _reasoning(request["reasoning"], model),
    }
    headers = context.headers
    session = next((headers[name] for name in SESSION_HEADERS if headers.get(name)), None)
    if session is None and context.previous is not None:
        session = context.previous.session_key
    store = request["store"].flag() if request["store"].present else True
    passed = {name: headers[name] for name in sorted(PASSED_HEADERS & headers.keys())}
    return ResponsesRequest(
        codex=codex_request(fields, session=session, headers=passed),
        requested_model=request["model"].text(),
        stream=request["stream"].flag(),
        store=store,
        echo={
            **{name: body[name] for name in ECHOED if body.get(name) is not None},
            "store": store,
        },
    )


def _refuse_what_changes_the_answer(request: Param) -> None:
    if request["background"].flag():
        raise request["background"].unsupported("responses run in the foreground only")
    if request["conversation"].present:
        raise request["conversation"].unsupported(
            "conversations are not stored; send the whole input"
        )
    if request["prompt"].present:
        raise request["prompt"].unsupported(
            "prompt templates are not stored; send instructions and input"
        )


def _input(request: Param, context: Context) -> list[dict[str, Any]]:
    """Return the items of the whole conversation; `instructions` are no part of that."""
    named = request["previous_response_id"]
    if not named.present:
        return input_items(request["input"], context.referenced)
    if context.previous is None:
        # OpenAI's own words, which clients look for.
        raise BadRequest(
            f"Previous response with id '{named.text()}' not found.",
            code="previous_response_not_found",
            param="previous_response_id",
        )
    earlier = input_items(Param(list(context.previous.items), "previous_response_id"), {})
    if not request["input"].present:
        return earlier
    return earlier + input_items(request["input"], context.referenced)


def _check_types(request: Param) -> None:
    for name in ("instructions", "prompt_cache_key", "service_tier"):
        request[name].optional_text()
    for name in ("text", "client_metadata"):
        if request[name].present:
            request[name].object()
    for entry in request["include"].entries():
        entry.text()
    request["parallel_tool_calls"].flag()


def _tools(request: Param) -> tuple[list[Tool], str | Tool | None]:
    tools = [_tool(tool) for tool in request["tools"].entries()]
    choice = request["tool_choice"]
    if not choice.present or isinstance(choice.value, str):
        return tools, choice.value
    if choice["type"].text() != "allowed_tools":
        return tools, _tool(choice)
    allowed = [_tool(tool) for tool in choice["tools"].entries()]
    return only_allowed(tools, allowed), choice["mode"].text()


def _tool(tool: Param) -> Tool:
    """Return a tool, or a choice of one, under its present type."""
    return {**tool.object(), "type": _current_type(tool["type"].text())}


def _current_type(tool_type: str) -> str:
    """Return a tool's type; of the names of web search the backend knows the plain one only."""
    return "web_search" if tool_type.startswith("web_search_") else tool_type


def _reasoning(reasoning: Param, model: Model) -> dict[str, Any] | None:
    fields = {**reasoning.object()} if reasoning.present else {}
    asked = reasoning["effort"].optional_text() if reasoning.present else None
    if effort := model.effort(asked):
        fields["effort"] = effort
    older_name = fields.pop("generate_summary", None)
    if older_name is not None and fields.get("summary") is None:
        fields["summary"] = older_name
    return fields or None
