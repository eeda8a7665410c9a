"""Chat Completions request bodies as Codex requests.

What the backend has no word for is accepted and dropped: sampling parameters, length
limits, `user`, `metadata`, `store`, `prediction`. What would change the meaning of the
answer is refused: more than one choice, audio, files by id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from codexia.codex.request import codex_request
from codexia.dialects.chat_messages import input_of_messages
from codexia.dialects.chat_tools import tools_of
from codexia.dialects.params import Param
from codexia.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codexia.codex.request import CodexRequest
    from codexia.models import Model, ModelTable

SESSION_HEADERS: Final = ("x-session-affinity", "x-session-id", "session_id", "session-id")


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A Chat Completions request, read.

    Attributes:
        codex: what goes to the backend.
        requested_model: the client's own name for the model.
        stream: whether the answer is streamed.
        include_usage: whether a stream ends with the token counts.
        stop: texts at which the answer is cut, which the backend cannot do.
        legacy_functions: calls are answered as `function_call`, not as `tool_calls`.
    """

    codex: CodexRequest
    requested_model: str
    stream: bool
    include_usage: bool
    stop: tuple[str, ...]
    legacy_functions: bool


def read_chat_request(
    body: dict[str, Any], models: ModelTable, headers: Mapping[str, str]
) -> ChatRequest:
    """Return the request that a decoded body means.

    Raises:
        BadRequest: a field is missing, malformed or cannot be honoured; `param` names it.
    """
    request = Param(body)
    _refuse_what_changes_the_answer(request)
    model = models.resolve(request["model"].text())
    instructions, items = input_of_messages(_messages(request))
    tools, tool_choice = tools_of(request)
    legacy = request["functions"].present and not request["tools"].present
    fields = {
        "model": model.id,
        "instructions": instructions,
        "input": items,
        "tools": tools,
        "tool_choice": tool_choice,
        # A legacy answer has room for one call.
        "parallel_tool_calls": False if legacy else _parallel(request["parallel_tool_calls"]),
        "reasoning": _reasoning(request, model),
        "text": _text(request),
        "service_tier": request["service_tier"].optional_text(),
        "prompt_cache_key": request["prompt_cache_key"].optional_text(),
    }
    session = next((headers[name] for name in SESSION_HEADERS if headers.get(name)), None)
    return ChatRequest(
        codex=codex_request(fields, session=session),
        requested_model=request["model"].text(),
        stream=request["stream"].flag(),
        include_usage=_include_usage(request["stream_options"]),
        stop=_stop(request["stop"]),
        legacy_functions=legacy,
    )


def _refuse_what_changes_the_answer(request: Param) -> None:
    if request["n"].number(1) != 1:
        raise BadRequest(
            "unsupported value: 'n' must be 1; send the request once for each answer",
            code="unsupported_value",
            param="n",
        )
    if any(modality.value == "audio" for modality in request["modalities"].entries()):
        raise request["modalities"].unsupported("the backend answers with text only")


def _messages(request: Param) -> list[Param]:
    messages = request["messages"]
    if not messages.entries():
        if not messages.present:
            raise BadRequest(
                "missing required parameter: 'messages'; expected an array",
                code="missing_required_parameter",
                param="messages",
            )
        raise messages.invalid("there must be at least one message", code="empty_array")
    return messages.entries()


def _parallel(parallel: Param) -> bool | None:
    return parallel.flag() if parallel.present else None


def _reasoning(request: Param, model: Model) -> dict[str, Any]:
    reasoning: dict[str, Any] = {"summary": "auto"}
    effort = request["reasoning_effort"].optional_text()
    if request["reasoning"].present:
        effort = effort or request["reasoning"]["effort"].optional_text()
    if effort := model.effort(effort):
        reasoning["effort"] = effort
    return reasoning


def _text(request: Param) -> dict[str, Any] | None:
    text: dict[str, Any] = {}
    if request["response_format"].present:
        text["format"] = _format(request["response_format"])
    if verbosity := request["verbosity"].optional_text():
        text["verbosity"] = verbosity
    return text or None


def _format(response_format: Param) -> dict[str, Any]:
    kind = response_format["type"].text()
    if kind in {"text", "json_object"}:
        return {"type": kind}
    if kind != "json_schema":
        raise response_format["type"].invalid("use text, json_object or json_schema")
    form = response_format["json_schema"]
    flat: dict[str, Any] = {
        "type": "json_schema",
        "name": form["name"].text(),
        "schema": form["schema"].object(),
        "strict": form["strict"].flag(),
    }
    if description := form["description"].optional_text():
        flat["description"] = description
    return flat


def _include_usage(options: Param) -> bool:
    return options.present and options["include_usage"].flag()


def _stop(stop: Param) -> tuple[str, ...]:
    if isinstance(stop.value, str):
        return (stop.value,) if stop.value else ()
    return tuple(text for entry in stop.entries() if (text := entry.text()))
