"""A reader of unit files by the rules of systemd.syntax(7) and systemd.exec(5), apart from the writer."""

from __future__ import annotations

ESCAPES = {"\\": "\\", '"': '"', "'": "'", "s": " ", "n": "\n", "t": "\t"}


def directives(unit: str) -> list[tuple[str, str, str]]:
    """Return section, name and value of every assignment."""
    section = ""
    found: list[tuple[str, str, str]] = []
    for line in unit.split("\n"):
        if not line or line[0] in "#;":
            continue
        assert not line.endswith("\\"), "a line that goes on"
        if line[0] == "[":
            section = line[1:-1]
            continue
        name, separator, value = line.partition("=")
        assert separator, line
        found.append((section, name, value))
    return found


def values(unit: str, name: str) -> list[str]:
    """Return the values of a directive of the service."""
    return [
        value for section, each, value in directives(unit) if (section, each) == ("Service", name)
    ]


def words(value: str) -> list[str]:
    """Return a value's words, unquoted and with their specifiers replaced."""
    found: list[str] = []
    word, quote, escaped, begun = "", "", False, False
    for character in value:
        if escaped:
            word += ESCAPES[character]
            escaped = False
        elif character == "\\":
            escaped = begun = True
        elif character == quote:
            quote = ""
        elif not quote and character in "\"'":
            quote, begun = character, True
        elif not quote and character == " ":
            if begun:
                found.append(_specified(word))
            word, begun = "", False
        else:
            word += character
            begun = True
    assert not quote
    assert not escaped
    return [*found, _specified(word)] if begun else found


def command(value: str) -> list[str]:
    """Return the argv of an ExecStart; variables are refused where systemd would replace them."""
    path, *arguments = words(value)
    literal = path.startswith(":")
    path = path.removeprefix(":")
    assert path.startswith("/")
    assert literal or not any("$" in each for each in (path, *arguments))
    return [path, *arguments]


def _specified(word: str) -> str:
    parts = word.split("%%")
    assert not any("%" in part for part in parts), "a specifier"
    return "%".join(parts)
