"""What the Codex backend asks of a `/codex/responses` body, as pure checks.

The body is an allow-list: one field too many and the whole request is refused. Checks run in
the order in which the backend is seen to answer; the first finding with an answer is the
reply, and every finding is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codexia.simulator.catalogue import catalogue, efforts
from codexia.simulator.findings import (
    Finding,
    detail_answer,
    error_answer,
    invalid,
    listing,
    refused,
)
from codexia.simulator.rules_input import check_input
from codexia.simulator.rules_schema import strict_schema_problems
from codexia.simulator.rules_tools import check_tool_choice, check_tools, offered_tools
from codexia.simulator.shapes import as_list, as_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ALLOWED_FIELDS = {
    "access_programs",
    "client_metadata",
    "include",
    "input",
    "instructions",
    "model",
    "parallel_tool_calls",
    "prompt_cache_key",
    "reasoning",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "text",
    "tool_choice",
    "tools",
}
INCLUDES = [
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "output.encrypted_content",
]
SUMMARIES = ["auto", "concise", "detailed"]
VERBOSITIES = ["low", "medium", "high"]
SERVICE_TIERS = ["priority", "flex"]
REASONING_FIELDS = {"effort", "summary", "context"}
KEY_LENGTH_LIMIT = 64
OBJECT_FIELDS = ("client_metadata", "reasoning", "stream_options", "text")
LIST_FIELDS = ("include", "tools")
OBJECT_LISTS = ("input", "tools")


def check_body(decoded: Any, session_id: str | None) -> Iterator[Finding]:
    """Yield every finding about a decoded body; `session_id` is the header of that name."""
    body = as_object(decoded)
    if body is None:
        yield refused("body", "Request body must be a JSON object")
        return
    wrong_types = list(_check_types(body))
    if wrong_types:
        yield from wrong_types
        return
    yield from _check_fields(body)
    yield from _check_fixed_values(body)
    yield from _check_model(body)
    yield from _check_include(body.get("include"))
    yield from _check_text(body.get("text"))
    yield from _check_cache_key(body.get("prompt_cache_key"), session_id)
    yield from _check_service_tier(body.get("service_tier"))
    yield from _check_client_metadata(body.get("client_metadata"))
    yield from check_input(body["input"])
    yield from _check_offered_tools(body)


def _check_types(body: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield a finding for each value that no other check could read."""
    if as_list(body.get("input")) is None:
        yield refused("input", "Input must be a list")
    for name in OBJECT_FIELDS:
        if body.get(name) is not None and as_object(body[name]) is None:
            yield _wrong_type(name, "an object")
    for name in LIST_FIELDS:
        if body.get(name) is not None and as_list(body[name]) is None:
            yield _wrong_type(name, "an array")
    for name in OBJECT_LISTS:
        for index, element in enumerate(as_list(body.get(name)) or []):
            if as_object(element) is None:
                yield _wrong_type(f"{name}[{index}]", "an object")


def _wrong_type(param: str, expected: str) -> Finding:
    message = f"Invalid type for '{param}': expected {expected}."
    return invalid("type", message, param=param, code="invalid_type", by_client=True)


def _check_fields(body: Mapping[str, Any]) -> Iterator[Finding]:
    for name in body:
        if name not in ALLOWED_FIELDS:
            yield refused("unsupported_parameter", f"Unsupported parameter: {name}")
    options = body.get("stream_options")
    if options is not None and set(options) != {"reasoning_summary_delivery"}:
        yield refused("unsupported_parameter", "Unsupported parameter: stream_options")


def _check_fixed_values(body: Mapping[str, Any]) -> Iterator[Finding]:
    if body.get("store") is not False:
        yield refused("store", "Store must be set to false")
    if body.get("stream") is not True:
        yield refused("stream", "Stream must be set to true")
    if not body["input"]:
        yield refused("input", "Input must not be empty")
    instructions = body.get("instructions")
    if instructions is None:
        yield refused("instructions", "Instructions are required")
    elif not isinstance(instructions, str):
        yield refused("instructions", "Instructions are not valid")


def _check_model(body: Mapping[str, Any]) -> Iterator[Finding]:
    slug = body.get("model")
    model = catalogue().get(slug) if isinstance(slug, str) else None
    if model is None:
        text = f"The '{slug}' model is not supported when using Codex with a ChatGPT account."
        yield Finding("model", text, detail_answer(text), is_violation=False)
        return
    yield from _check_reasoning(body.get("reasoning"), model)


def _check_reasoning(reasoning: Any, model: Mapping[str, Any]) -> Iterator[Finding]:
    if reasoning is None:
        return
    for name in reasoning:
        if name not in REASONING_FIELDS:
            param = f"reasoning.{name}"
            message = f"Unknown parameter: '{param}'."
            yield invalid("reasoning", message, param=param, code="unknown_parameter")
    effort = reasoning.get("effort")
    taken = efforts(dict(model))
    if effort is not None and effort not in taken:
        message = (
            f"Unsupported value: '{effort}' is not supported with the '{model['slug']}' model. "
            f"Supported values are: {listing(taken)}."
        )
        yield invalid("effort", message, param="reasoning.effort", code="unsupported_value")
    summary = reasoning.get("summary")
    if summary is not None and summary not in SUMMARIES:
        yield _invalid_value("summary", summary, SUMMARIES, "reasoning.summary")


def _check_include(include: Any) -> Iterator[Finding]:
    for index, value in enumerate(include or []):
        if value not in INCLUDES:
            yield _invalid_value("include", value, INCLUDES, f"include[{index}]")


def _check_text(text: Any) -> Iterator[Finding]:
    if text is None:
        return
    verbosity = text.get("verbosity")
    if verbosity is not None and verbosity not in VERBOSITIES:
        yield _invalid_value("verbosity", verbosity, VERBOSITIES, "text.verbosity")
    match text.get("format"):
        case None | {"type": "text" | "json_object"}:
            return
        case {"type": "json_schema"} as form:
            yield from _check_answer_schema(form)
        case form:
            kinds = ["text", "json_schema", "json_object"]
            yield _invalid_value("text_format", form, kinds, "text.format")


def _check_answer_schema(form: Mapping[str, Any]) -> Iterator[Finding]:
    for key, kind in (("name", str), ("schema", dict)):
        if not isinstance(form.get(key), kind) or not form[key]:
            param = f"text.format.{key}"
            message = f"Missing required parameter: '{param}'."
            yield invalid("text_format", message, param=param, code="missing_required_parameter")
            return
    if form.get("strict") is True:
        for problem in strict_schema_problems(form["schema"]):
            message = f"Invalid schema for response_format '{form['name']}': {problem}"
            code = "invalid_json_schema"
            yield invalid(code, message, param="text.format.schema", code=code, by_client=True)


def _check_cache_key(key: Any, session_id: str | None) -> Iterator[Finding]:
    if key is None:
        return
    if not isinstance(key, str) or len(key) > KEY_LENGTH_LIMIT:
        message = (
            "Invalid 'prompt_cache_key': string too long. Expected a string with maximum length "
            f"{KEY_LENGTH_LIMIT}, but got a string with length {len(str(key))} instead."
        )
        code = "string_above_max_length"
        yield invalid("prompt_cache_key", message, param="prompt_cache_key", code=code)
    if session_id and session_id != key:
        yield Finding("session_id", "session-id and prompt_cache_key differ")


def _check_service_tier(tier: Any) -> Iterator[Finding]:
    if tier is not None and tier not in SERVICE_TIERS:
        yield refused("service_tier", f"Unsupported service_tier: {tier}")


def _check_client_metadata(metadata: Mapping[str, Any] | None) -> Iterator[Finding]:
    if metadata is None:
        return
    if not all(isinstance(value, str) for value in metadata.values()):
        message = "Invalid type for 'client_metadata': expected an object of strings."
        yield invalid("client_metadata", message, param="client_metadata", code="invalid_type")


def _check_offered_tools(body: dict[str, Any]) -> Iterator[Finding]:
    if body.get("tools") is not None:
        yield from check_tools(body["tools"])
    tools = offered_tools(body)
    if body.get("tool_choice") is not None:
        yield from check_tool_choice(body["tool_choice"], tools)
    if body.get("parallel_tool_calls") and not tools:
        yield Finding("parallel_tool_calls", "parallel_tool_calls without tools")


def _invalid_value(kind: str, value: Any, allowed: list[str], param: str) -> Finding:
    message = f"Invalid value: '{value}'. Supported values are: {listing(allowed)}."
    return Finding(kind, message, error_answer(message, param=param, code="invalid_value"))
