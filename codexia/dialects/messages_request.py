"""An Anthropic Messages body, as the request that the Codex backend takes.

What the backend cannot honour (`temperature`, `max_tokens`, `cache_control`, ...) is
accepted and left out; fields, blocks and betas that nobody here knows are never a fault.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from codexia.codex.request import codex_request
from codexia.dialects.messages_content import Conversation
from codexia.dialects.messages_fields import TOO_DEEP, Fields
from codexia.dialects.messages_tools import WEB_SEARCH_SOURCES, tool_choice, tool_set
from codexia.dialects.orphans import without_orphans
from codexia.dialects.strict_schema import is_strict
from codexia.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codexia.codex.request import CodexRequest
    from codexia.dialects.messages_fields import Json
    from codexia.models import Model, ModelTable

BILLING_HEADER: Final = "x-anthropic-billing-header:"
"""Claude Code's first system block. It differs between sessions and would spoil the cache."""

SESSION_HEADER: Final = "x-claude-code-session-id"

UNSUPPORTED: Final = ("compaction", "mcp_servers")
"""Fields that ask for work which would be missed if it were left out silently."""

BUDGETS: Final = ((2_000, "low"), (8_000, "medium"), (24_000, "high"))
"""Effort below each `budget_tokens`; `xhigh` from the last one on."""

CHARS_PER_TOKEN: Final = 4
ATTACHMENT_TOKENS: Final = 1_000
"""A guess for an image or a file, whose size in bytes says nothing of its tokens."""


@dataclass(frozen=True, slots=True)
class MessagesRequest:
    """A body as far as it is translated.

    Attributes:
        codex: the backend's request.
        model: what the requested name means.
        requested_model: the name as the client gave it, echoed in the answer.
        tool_names: clients' tool names by the backend's, where they differ.
        thinking: whether the client asked for thinking blocks.
        stop_sequences: as given.
        manages_context: whether the answer has to report context edits.
        input_tokens: size of the prompt, estimated.
    """

    codex: CodexRequest
    model: Model
    requested_model: str
    tool_names: Mapping[str, str] = field(default_factory=dict[str, str])
    thinking: bool = False
    stop_sequences: tuple[str, ...] = ()
    manages_context: bool = False
    input_tokens: int = 0


def messages_request(body: Json, models: ModelTable, headers: Mapping[str, str]) -> MessagesRequest:
    """Return the translation of a body; `max_tokens` and `stream` are left to the caller.

    Args:
        body: the decoded JSON.
        models: what model names mean.
        headers: the client's, lower-case names.

    Raises:
        BadRequest: the body cannot be served.
    """
    root = Fields(body)
    requested_model = root.text("model")
    model = models.resolve(requested_model)
    _refuse_unsupported(root)
    conversation = _conversation(root)
    tools = tool_set(root, conversation)
    fields: Json = {
        "model": model.id,
        "instructions": _instructions(root),
        "input": without_orphans(conversation.items),
        "tools": tools.tools,
        "reasoning": _reasoning(root, model),
        "text": _text_format(root),
        **tool_choice(root, tools),
    }
    if "web_search" in tools.hosted:
        fields["include"] = [WEB_SEARCH_SOURCES]
    return MessagesRequest(
        codex=codex_request(fields, session=_session(body, headers)),
        model=model,
        requested_model=requested_model,
        tool_names=tools.names,
        thinking=_thinks(root),
        stop_sequences=tuple(root.texts("stop_sequences")),
        manages_context=root.has("context_management"),
        input_tokens=_input_tokens(root, fields),
    )


def _refuse_unsupported(root: Fields) -> None:
    if root.has("thread"):
        # The SDKs' tool runner then sends the whole history instead of a reference to it.
        raise BadRequest(
            "thread: server-side threads are not kept here; send the whole conversation",
            param="thread",
            details={"error_code": "thread_unsupported_request", "unsupported": ["thread"]},
        )
    for name in UNSUPPORTED:
        if root.values.get(name):
            raise root.refuse(name, "there is no equivalent here; leave it out")


def _conversation(root: Fields) -> Conversation:
    root.required("messages")
    conversation = Conversation()
    for message in root.children("messages"):
        conversation.add(message)
    if not conversation.items:
        raise root.refuse("messages", "at least one message is required")
    return conversation


def _instructions(root: Fields) -> str:
    if not root.has("system"):
        return ""
    texts = [block.text("text") for block in root.blocks("system") if block.kind == "text"]
    return "\n\n".join(text for text in map(_without_billing_header, texts) if text)


def _without_billing_header(text: str) -> str:
    if not text.startswith(BILLING_HEADER):
        return text
    return text.partition("\n")[2].lstrip("\n")


def _reasoning(root: Fields, model: Model) -> Json | None:
    thinking = root.maybe_child("thinking")
    effort = model.effort(_effort(root, thinking, model))
    reasoning: Json = {"effort": effort} if effort else {}
    if thinking is not None and _thinks(root) and thinking.values.get("display") != "omitted":
        reasoning["summary"] = "auto"
    return reasoning or None


def _effort(root: Fields, thinking: Fields | None, model: Model) -> str | None:
    """Return the effort that was asked for, None where it is left to the model.

    One that is named, in the request or with the model, beats what `thinking` comes to.
    """
    output = root.maybe_child("output_config")
    named = output.maybe_text("effort") if output is not None else None
    if named is not None or model.named_effort or thinking is None:
        return named
    match thinking.text("type"):
        case "disabled":
            return "none"
        case "enabled":
            budget = thinking.integer("budget_tokens")
            return next((effort for limit, effort in BUDGETS if budget < limit), "xhigh")
        case _:
            return None


def _thinks(root: Fields) -> bool:
    """Return whether thinking blocks are wanted; one who did not ask takes block 0 for the text."""
    thinking = root.maybe_child("thinking")
    return thinking is not None and thinking.text("type") != "disabled"


def _text_format(root: Fields) -> Json | None:
    output = root.maybe_child("output_config")
    wanted = output.maybe_child("format") if output is not None else None
    wanted = wanted or root.maybe_child("output_format")
    if wanted is None or wanted.text("type") != "json_schema":
        return None
    schema = {name: value for name, value in wanted.json("schema").items() if name != "$schema"}
    text: Json = {
        "format": {
            "type": "json_schema",
            "name": "output",
            "schema": schema,
            "strict": is_strict(schema),
        }
    }
    try:
        orjson.dumps({"text": text})
    except orjson.JSONEncodeError as error:
        raise wanted.refuse("schema", TOO_DEEP) from error
    return text


def _session(body: Json, headers: Mapping[str, str]) -> str | None:
    """Return the client's own name for the conversation.

    Claude Code puts JSON text with a `session_id` into `metadata.user_id`. The other ids in
    it name the person and the machine, and stay here.
    """
    metadata: Any = body.get("metadata")
    user_id: Any = metadata.get("user_id") if isinstance(metadata, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if isinstance(user_id, str):
        try:
            session = orjson.loads(user_id)["session_id"]
        except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
            # Before 2026 it was `user_<digest>_account_<uuid>_session_<uuid>`.
            session = user_id.rpartition("_session_")[2] if "_session_" in user_id else None
        if isinstance(session, str) and session:
            return session
    return headers.get(SESSION_HEADER) or None


def _input_tokens(root: Fields, fields: Json) -> int:
    """Return a guess of the prompt's size; the true count comes with the end of the answer."""
    try:
        chars = len(fields["instructions"]) + len(orjson.dumps({"tools": fields["tools"]}))
    except orjson.JSONEncodeError as error:
        raise root.refuse("tools", TOO_DEEP) from error
    attachments = 0
    for item in fields["input"]:
        chars += len(item.get("arguments", ""))
        content = item.get("content") or item.get("output") or ""
        if isinstance(content, str):
            chars += len(content)
            continue
        for part in content:
            chars += len(part.get("text", ""))
            attachments += "text" not in part
    return chars // CHARS_PER_TOKEN + attachments * ATTACHMENT_TOKENS + 1
