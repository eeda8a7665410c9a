"""Chat Completions `messages` as Responses `instructions` and `input` items.

The roles are those of https://platform.openai.com/docs/api-reference/chat/create. The
backend takes no `system` role: leading system and developer messages become instructions,
later ones stay where they are as developer messages.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

from codexia.dialects.orphans import without_orphans

if TYPE_CHECKING:
    from codexia.dialects.params import Param

Item = dict[str, Any]

INSTRUCTION_ROLES: Final = frozenset({"system", "developer"})
MAX_CALL_ID_CHARS: Final = 64
"""The backend refuses longer call ids."""


def input_of_messages(messages: list[Param]) -> tuple[str, list[Item]]:
    """Return the instructions and the input items that the messages mean.

    Args:
        messages: one `Param` a message.

    Raises:
        BadRequest: a message is malformed, or holds what the backend cannot take.
    """
    leading = len(list(takewhile(_is_instruction, messages)))
    if leading == len(messages):  # the backend wants input, so instructions alone become it
        leading = 0
    instructions = "\n\n".join(_plain_text(message["content"]) for message in messages[:leading])
    history = _History()
    for message in messages[leading:]:
        history.add(message)
    return instructions, without_orphans(history.items)


def _is_instruction(message: Param) -> bool:
    return message["role"].text() in INSTRUCTION_ROLES


class _History:
    """The items so far, and what outputs need to know of the calls they answer.

    Attributes:
        items: in the order of the messages.
    """

    def __init__(self) -> None:
        self.items: list[Item] = []
        self._custom_calls: set[str] = set()
        self._legacy_calls: dict[str, str] = {}

    def add(self, message: Param) -> None:
        match message["role"].text():
            case "system" | "developer":
                self._message("developer", message)
            case "user":
                self._message("user", message)
            case "assistant":
                self._assistant(message)
            case "tool":
                self._output(_call_id(message["tool_call_id"].text()), message["content"])
            case "function":
                name = message["name"].text()
                self._output(self._legacy_calls.get(name, _legacy_id(0)), message["content"])
            case role:
                raise message["role"].invalid(
                    f"there is no role '{role}'; use developer, system, user, assistant or tool"
                )

    def _message(self, role: str, message: Param) -> None:
        self.items.append(
            {"type": "message", "role": role, "content": _input_parts(message["content"])}
        )

    def _assistant(self, message: Param) -> None:
        parts = _answer_parts(message["content"])
        if refusal := message["refusal"].optional_text():
            parts.append({"type": "refusal", "refusal": refusal})
        if parts:
            self.items.append({"type": "message", "role": "assistant", "content": parts})
        for call in message["tool_calls"].entries():
            self._tool_call(call)
        if message["function_call"].present:
            self._legacy_call(message["function_call"])

    def _tool_call(self, call: Param) -> None:
        call_id = _call_id(call["id"].text())
        if call["type"].value == "custom":
            self._custom_calls.add(call_id)
            self.items.append(
                {
                    "type": "custom_tool_call",
                    "call_id": call_id,
                    "name": call["custom"]["name"].text(),
                    "input": call["custom"]["input"].text(),
                }
            )
        else:
            self._function_call(call_id, call["function"])

    def _legacy_call(self, call: Param) -> None:
        # These calls have no ids; the answer that follows names the function only.
        call_id = _legacy_id(len(self.items))
        self._legacy_calls[call["name"].text()] = call_id
        self._function_call(call_id, call)

    def _function_call(self, call_id: str, function: Param) -> None:
        self.items.append(
            {
                "type": "function_call",
                "call_id": call_id,
                "name": function["name"].text(),
                "arguments": function["arguments"].text(),
            }
        )

    def _output(self, call_id: str, content: Param) -> None:
        custom = call_id in self._custom_calls
        self.items.append(
            {
                "type": "custom_tool_call_output" if custom else "function_call_output",
                "call_id": call_id,
                "output": _output_of(content),
            }
        )


def _call_id(call_id: str) -> str:
    if len(call_id) <= MAX_CALL_ID_CHARS:
        return call_id
    return f"call_{sha256(call_id.encode()).hexdigest()[:32]}"


def _legacy_id(position: int) -> str:
    return f"call_function_{position}"


def _plain_text(content: Param) -> str:
    """Return content that may only be text, its parts joined."""
    if isinstance(content.value, list):
        return "".join(_text_of(part) for part in content.entries())
    return content.text()


def _text_of(part: Param) -> str:
    if part["type"].text() not in {"text", "input_text"}:
        raise part["type"].invalid("only text parts are possible here")
    return part["text"].text()


def _output_of(content: Param) -> str | list[Item]:
    """Return a tool's answer: its text, or a list where it holds images or files."""
    if not content.present:
        return ""
    parts = _input_parts(content)
    if all(part["type"] == "input_text" for part in parts):
        return "".join(part["text"] for part in parts)
    return parts


def _input_parts(content: Param) -> list[Item]:
    if isinstance(content.value, list):
        return [_input_part(part) for part in content.entries()]
    return [{"type": "input_text", "text": content.text()}]


def _input_part(part: Param) -> Item:
    match part["type"].text():
        case "text" | "input_text":
            return {"type": "input_text", "text": part["text"].text()}
        case "image_url":
            return _image(part["image_url"])
        case "file":
            return _file(part["file"])
        case "input_audio":
            raise part["type"].unsupported("the backend takes no audio; send a transcript")
        case kind:
            raise part["type"].invalid(
                f"there is no part '{kind}' here; use text, image_url or file"
            )


def _image(image: Param) -> Item:
    if isinstance(image.value, str):  # some clients leave the object out
        return {"type": "input_image", "image_url": image.value, "detail": "auto"}
    return {
        "type": "input_image",
        "image_url": image["url"].text(),
        "detail": image["detail"].optional_text() or "auto",
    }


def _file(file: Param) -> Item:
    if file["file_id"].present:
        raise file["file_id"].unsupported(
            "there is no Files API here; send the file itself as file_data"
        )
    return {
        "type": "input_file",
        "filename": file["filename"].optional_text() or "file",
        "file_data": file["file_data"].text(),
    }


def _answer_parts(content: Param) -> list[Item]:
    """Return an assistant message's parts; none for content that is absent or empty."""
    if isinstance(content.value, list):
        return [_answer_part(part) for part in content.entries()]
    text = content.optional_text()
    return [{"type": "output_text", "text": text}] if text else []


def _answer_part(part: Param) -> Item:
    match part["type"].text():
        case "refusal":
            return {"type": "refusal", "refusal": part["refusal"].text()}
        case "text" | "output_text":
            return {"type": "output_text", "text": part["text"].text()}
        case kind:
            raise part["type"].invalid(f"there is no part '{kind}' here; use text or refusal")
