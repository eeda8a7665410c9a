"""Keys in, lines and echo out."""

from __future__ import annotations

import pytest

from codexia.cli.line_editor import LineEditor


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (b"code\r", "code"),
        (b"code\n", "code"),
        (b"coxx\x7f\x08de\r", "code"),
        (b"\x7f\x7fcode\r", "code"),
        (b"nonsense\x15code\r", "code"),
        (b"nonsense\x17code\r", "code"),
        (b"co\x1b[D\x1b[3~\x1bOA\x1b[1;5Cde\r", "code"),
        (b"\x1b[200~code\x1b[201~\r", "code"),
        (b"co\x1bxde\r", "code"),
        (b"co\x04de\x00\x07\r", "code"),
        ("cödé\x7f\x7fde".encode() + b"\x7f\x7f\x7fode\r", "code"),
        (b" code\t\r", " code\t"),
        (b"x" * 10_000 + b"\r", "x" * 10_000),
    ],
)
def test_keys_make_a_line(keys: bytes, line: str):
    assert LineEditor().feed(keys).lines == [line]


def test_key_by_key_makes_the_same_line():
    editor = LineEditor()
    keys = "ü\x7fc\x1b[3~ode\r".encode()
    edits = [editor.feed(keys[index : index + 1]) for index in range(len(keys))]
    assert [line for edit in edits for line in edit.lines] == ["code"]


def test_echo_is_what_the_terminal_shows():
    editor = LineEditor()
    assert editor.feed(b"ab\x7f").echo == "ab\b \b"
    assert editor.feed(b"\x7f\x7f").echo == "\b \b"
    assert editor.feed(b"a\tb\r").echo == "a b\n"
    assert editor.feed(b"\x1b[31m").echo == ""


@pytest.mark.parametrize(
    ("keys", "ended"), [(b"\x04", True), (b"a\x04", False), (b"a\r\x04", True)]
)
def test_end_of_input_counts_on_an_empty_line(keys: bytes, ended: bool):
    assert LineEditor().feed(keys).ended == ended
