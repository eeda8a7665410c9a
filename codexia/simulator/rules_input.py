"""What the backend asks of the items in `input`."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from codexia.simulator.encrypted import is_known_encrypted_content
from codexia.simulator.findings import Finding, invalid, listing, refused
from codexia.simulator.shapes import JsonObject, as_list, as_object

if TYPE_CHECKING:
    from collections.abc import Iterator

ID_PREFIXES = {
    "message": "msg_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "custom_tool_call": "ctc_",
    "local_shell_call": "lsh_",
    "web_search_call": "ws_",
    "image_generation_call": "ig_",
    "compaction": "cmp_",
    "compaction_summary": "cmp_",
    "function_call_output": "fco_",
}
"""How the id of an item begins, by type, where that is known."""

OTHER_TYPES = (
    "additional_tools",
    "agent_message",
    "compaction_trigger",
    "configuration_update",
    "context_compaction",
    "custom_tool_call_output",
    "local_shell_call_output",
    "tool_search_call",
    "tool_search_output",
)
OUTPUT_TYPES = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
    "local_shell_call": "local_shell_call_output",
    "tool_search_call": "tool_search_output",
}
CONTENT_TYPES = {
    "user": ["input_text", "input_image", "input_file"],
    "developer": ["input_text", "input_image", "input_file"],
    "assistant": ["output_text", "refusal"],
}
FOREIGN_PART_FIELDS = ("cache_control", "prompt_cache_breakpoint")
ID_LENGTH_LIMIT = 64
IMAGE_URL = re.compile(r"data:image/(png|jpeg|gif|webp);base64,(.*)", re.DOTALL)
IMAGE_HEADS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF")


def check_input(items: list[JsonObject]) -> Iterator[Finding]:
    """Yield what is wrong with the input, item by item and then as a whole."""
    for index, item in enumerate(items):
        yield from _check_item(item, f"input[{index}]")
    yield from _check_pairs(items)
    triggers = [index for index, item in enumerate(items) if _type_of(item) == "compaction_trigger"]
    if triggers and triggers != [len(items) - 1]:
        message = "The 'compaction_trigger' item must be the final input item."
        yield invalid("compaction_trigger", message, param="input", by_client=True)


def _type_of(item: JsonObject) -> str:
    """Return the item's type; a bare `{role, content}` is a message."""
    return item.get("type") or ("message" if "role" in item else "")


def _check_item(item: JsonObject, param: str) -> Iterator[Finding]:
    kind = _type_of(item)
    if kind not in ID_PREFIXES and kind not in OTHER_TYPES:
        known = listing([*ID_PREFIXES, *OTHER_TYPES])
        message = f"Invalid value: '{kind}'. Supported values are: {known}."
        yield invalid("item_type", message, param=param, code="invalid_value")
        return
    yield from _check_ids(item, kind, param)
    match kind:
        case "message":
            yield from _check_message(item, param)
        case "function_call" | "custom_tool_call":
            yield from _check_call(item, kind, param)
        case "function_call_output" | "custom_tool_call_output":
            yield from _check_output(item, param)
        case "reasoning" | "compaction" | "compaction_summary":
            yield from _check_encrypted(item, param)
        case _:
            pass


def _check_ids(item: dict[str, Any], kind: str, param: str) -> Iterator[Finding]:
    prefix = ID_PREFIXES.get(kind)
    item_id = item.get("id")
    if item_id is not None and prefix and not str(item_id).startswith(prefix):
        message = (
            f"Invalid '{param}.id': '{item_id}'. Expected an ID that begins with "
            f"'{prefix.removesuffix('_')}'."
        )
        yield invalid("item_id", message, param=f"{param}.id", code="invalid_value")
    for key in ("id", "call_id"):
        length = len(item.get(key) or "")
        if length > ID_LENGTH_LIMIT:
            message = (
                f"Invalid '{param}.{key}': string too long. Expected a string with maximum "
                f"length {ID_LENGTH_LIMIT}, but got a string with length {length} instead."
            )
            yield invalid(
                "id_length", message, param=f"{param}.{key}", code="string_above_max_length"
            )


def _check_message(item: dict[str, Any], param: str) -> Iterator[Finding]:
    role, content = item.get("role"), item.get("content")
    if role == "system":
        yield refused("system_role", "System messages are not allowed")
        return
    if role not in CONTENT_TYPES:
        message = f"Invalid value: '{role}'. Supported values are: {listing([*CONTENT_TYPES])}."
        yield invalid("role", message, param=f"{param}.role", code="invalid_value")
        return
    if isinstance(content, str):
        return
    parts = as_list(content)
    if parts is None:
        message = f"Missing required parameter: '{param}.content'."
        where = f"{param}.content"
        yield invalid("content", message, param=where, code="missing_required_parameter")
        return
    for index, part in enumerate(parts):
        yield from _check_part(part, CONTENT_TYPES[role], f"{param}.content[{index}]")


def _check_part(value: Any, allowed: list[str], param: str) -> Iterator[Finding]:
    part = as_object(value) or {}
    kind = part.get("type")
    if kind not in allowed:
        message = f"Invalid value: '{kind}'. Supported values are: {listing(allowed)}."
        yield invalid("content_type", message, param=f"{param}.type", code="invalid_value")
        return
    for name in FOREIGN_PART_FIELDS:
        if name in part:
            yield refused("content_field", f"{name} is not supported on this model")
    key = "refusal" if kind == "refusal" else "text"
    if kind in ("input_text", "output_text") or kind == "refusal":
        if not isinstance(part.get(key), str):
            message = f"Missing required parameter: '{param}.{key}'."
            where = f"{param}.{key}"
            yield invalid("content", message, param=where, code="missing_required_parameter")
    elif kind == "input_image":
        yield from _check_image(part.get("image_url"), f"{param}.image_url")


def _check_image(image_url: Any, param: str) -> Iterator[Finding]:
    """Yield a finding unless the image is a remote address or a data URL of a real image."""
    if isinstance(image_url, str) and image_url.startswith(("https://", "http://")):
        return
    match = IMAGE_URL.fullmatch(image_url) if isinstance(image_url, str) else None
    try:
        head = base64.b64decode(match[2], validate=True)[:4] if match else b""
    except binascii.Error:
        head = b""
    if not head.startswith(IMAGE_HEADS):
        message = "The image data you provided does not represent a valid image."
        yield invalid("image", message, param=param, code="invalid_value", by_client=True)


def _check_call(item: dict[str, Any], kind: str, param: str) -> Iterator[Finding]:
    payload = "arguments" if kind == "function_call" else "input"
    for key in ("call_id", "name", payload):
        if not isinstance(item.get(key), str):
            message = f"Missing required parameter: '{param}.{key}'."
            yield invalid(
                "call", message, param=f"{param}.{key}", code="missing_required_parameter"
            )


def _check_output(item: dict[str, Any], param: str) -> Iterator[Finding]:
    output = item.get("output")
    parts = as_list(output)
    if parts is not None:
        for index, part in enumerate(parts):
            yield from _check_part(part, CONTENT_TYPES["user"], f"{param}.output[{index}]")
    elif not isinstance(output, str):
        message = f"Missing required parameter: '{param}.output'."
        where = f"{param}.output"
        yield invalid("call_output", message, param=where, code="missing_required_parameter")


def _check_encrypted(item: dict[str, Any], param: str) -> Iterator[Finding]:
    content = item.get("encrypted_content")
    if content is None and item["type"] == "reasoning":
        if item.get("id"):
            yield _item_not_found(item["id"])
    elif not isinstance(content, str) or not is_known_encrypted_content(content):
        message = (
            f"The encrypted content for item {item.get('id')} could not be verified. "
            "Reason: Encrypted content could not be decrypted or parsed."
        )
        code = "invalid_encrypted_content"
        yield invalid(code, message, param=param, code=code, by_client=True)


def _item_not_found(item_id: str) -> Finding:
    message = (
        f"Item with id '{item_id}' not found. Items are not persisted when `store` is set to "
        "false. Try again with `store` set to true, or remove this item from your input."
    )
    return invalid("item_not_found", message, param="input")


def _check_pairs(items: list[JsonObject]) -> Iterator[Finding]:
    """Yield each call without an output and each output without a call before it."""
    open_calls: Counter[tuple[str, str]] = Counter()
    for item in items:
        kind = _type_of(item)
        call_id = item.get("call_id")
        if not isinstance(call_id, str):
            continue
        if kind in OUTPUT_TYPES:
            open_calls[OUTPUT_TYPES[kind], call_id] += 1
        elif kind in OUTPUT_TYPES.values():
            if not open_calls[kind, call_id]:
                call = kind.removesuffix("_output").replace("_", " ")
                message = f"No tool call found for {call} output with call_id {call_id}."
                yield invalid("orphan_output", message, param="input", by_client=True)
            else:
                open_calls[kind, call_id] -= 1
    for (_, call_id), count in open_calls.items():
        if count:
            message = f"No tool output found for function call {call_id}."
            yield invalid("call_without_output", message, param="input", by_client=True)
