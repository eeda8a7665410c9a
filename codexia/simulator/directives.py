"""What a prompt can ask of the simulator, in words that every client carries unchanged.

Looked for in the text of the last `user` message, `<system-reminder>` blocks left out:

| directive | answer |
|---|---|
| `SAY[[text]]` | that text, exactly |
| `RUN[[command]]` | a call of the offered shell tool |
| `call NAME` | a call of that tool |
| `CALLS[[2]]`, `CALLS[[a, b]]` | parallel calls: of the offered tools in turn, or of those named |
| `ARGS[[{"city": "Oslo"}]]` | the arguments (or input) of the calls, instead of minimal ones |
| `SEARCH[[query]]` | a web search, if that tool is offered, and a cited answer |
| `PLAY[[02_reasoning_text]]` | a transcript, byte for byte |
| `STREAM[[deltas=100 gap_ms=20]]` | a generated stream: see `generate` |
| `FAULT[[cut after=5]]` | the answer, broken: see `faults` |
| `IMAGES[[made=1]]` | nothing here: for the images endpoint, see `images_route` |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_DIRECTIVE = re.compile(
    r"\b(SAY|RUN|CALLS|ARGS|SEARCH|PLAY|STREAM|FAULT)\[\[(.*?)\]\](?!\])", re.DOTALL
)
_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
_PAIR = re.compile(r"(\w+)=(\S*)")


@dataclass(frozen=True, slots=True)
class Prompt:
    """The last user text and the directives in it; of two alike, the later one counts.

    Attributes:
        text: the text without reminders.
        directives: content by name.
        position: index of the message in `input`, -1 if there is none.
    """

    text: str
    directives: dict[str, str]
    position: int

    def calls(self, tool_name: str) -> bool:
        """Return whether the text asks to `call` that tool; an MCP prefix may be left out."""
        short = tool_name.rpartition("__")[2]
        names = "|".join(re.escape(name) for name in {tool_name, short} if name)
        return bool(re.search(rf"\bcall (?:the )?(?:tool )?[`'\"]?(?:{names})\b", self.text))


def last_prompt(items: list[Any]) -> Prompt:
    """Return the prompt in a request's `input`: the last `user` message that says anything."""
    for position in range(len(items) - 1, -1, -1):
        if items[position].get("role") == "user":
            text = _REMINDER.sub("", joined_text(items[position]["content"])).strip()
            if text:
                found = {match[1]: match[2] for match in _DIRECTIVE.finditer(text)}
                return Prompt(text, found, position)
    return Prompt("", {}, -1)


def joined_text(content: str | list[dict[str, Any]]) -> str:
    """Return the text parts of a message's content or a call's output, joined by line ends."""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if isinstance(part.get("text"), str))


def pairs(text: str) -> dict[str, str]:
    """Return the `key=value` pairs of a directive."""
    return {match[1]: match[2] for match in _PAIR.finditer(text)}
