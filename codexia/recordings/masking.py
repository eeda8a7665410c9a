"""Takes the content out of what is recorded: texts keep their lengths and lose their letters.

Letters become `x`, digits `1`; punctuation, blanks and escapes stay, so that JSON stays JSON, also
within a string. Short identifiers under the names of the protocols stay, and so do the
names of fields. Whatever is no JSON loses all its letters.
"""

from __future__ import annotations

import re
from typing import Final

import orjson

KEPT: Final = frozenset(
    {
        *(b"call_id", b"code", b"display", b"effort", b"event", b"finish_reason", b"id"),
        *(b"item_id", b"media_type", b"model", b"name", b"object", b"phase", b"reason"),
        *(b"previous_response_id", b"quality", b"response_id", b"role", b"service_tier"),
        *(b"size", b"status", b"stop_reason", b"tool_call_id", b"tool_choice", b"tool_use_id"),
        *(b"truncation", b"type", b"verbosity"),
    }
)
"""Names whose values are of the protocol, where these look like identifiers."""

OPAQUE: Final = frozenset({b"arguments", b"client_metadata", b"input", b"metadata", b"output"})
"""Names of objects that hold anything; nothing below is of the protocol."""

_IDENTIFIER = re.compile(rb"[\w.:/-]{1,128}")
_TOKEN = re.compile(rb'(?:"((?:[^"\\]++|\\.)*+)"(\s*+:)?)|([{}\[])')
# The letter after backslashes is that of an escape, of this string or of JSON within it.
_LETTERS = re.compile(
    rb"(\\++u)[0-9A-Fa-f]{4}|(\\++[nrtbf]?)|(\b(?:true|false|null)\b)|([0-9]++)|([A-Za-z_\x80-\xff]++)"
)
_EVENT_LINE = re.compile(rb"(?:event: ?[a-z_.]{1,80}|: ?ping|)")
_DATA = re.compile(rb"(data: ?)(.*)", re.DOTALL)


def without_content(content: bytes) -> bytes:
    """Return content of the same length with nothing to read in it.

    Args:
        content: a JSON document, a stream of events, or anything else.
    """
    if _is_json(content):
        return _Document().masked(content)
    return b"".join(_line(line) for line in re.split(rb"(\r\n|\r|\n)", content))


def _line(line: bytes) -> bytes:
    if _EVENT_LINE.fullmatch(line) or line in {b"\n", b"\r", b"\r\n"}:
        return line
    if data := _DATA.fullmatch(line):
        kept = data[2] == b"[DONE]"
        masked = _Document().masked(data[2]) if _is_json(data[2]) else _lettered(data[2])
        return data[1] + (data[2] if kept else masked)
    return _lettered(line)


def _is_json(content: bytes) -> bool:
    try:
        return isinstance(orjson.loads(content), dict | list)
    except orjson.JSONDecodeError:
        return False


class _Document:
    """A JSON document on its way through the tokenizer.

    Attributes:
        key: the name that the next value has, b"" where it has none.
        opaque: for each open object, whether nothing in it is of the protocol.
    """

    def __init__(self) -> None:
        self.key = b""
        self.opaque: list[bool] = []

    def masked(self, content: bytes) -> bytes:
        return _TOKEN.sub(self._token, content)

    def _token(self, found: re.Match[bytes]) -> bytes:
        whole, text, colon, brace = found[0], found[1], found[2], found[3]
        key, self.key = self.key, b""
        if brace == b"{":
            self.opaque.append(key in OPAQUE or any(self.opaque[-1:]))
        elif brace == b"}":
            self.opaque.pop()
        if brace:
            return whole
        if colon:
            self.key = text
            return whole
        kept = key in KEPT and _IDENTIFIER.fullmatch(text) and not any(self.opaque[-1:])
        return whole if kept else b'"' + _lettered(text) + b'"'


def _lettered(text: bytes) -> bytes:
    return _LETTERS.sub(_letters, text)


def _letters(found: re.Match[bytes]) -> bytes:
    unicode, escape, literal, digits, letters = found.groups()
    if unicode:
        return unicode + b"0078"
    if digits:
        return b"1" * len(digits)
    if letters:
        return b"x" * len(letters)
    return escape or literal
