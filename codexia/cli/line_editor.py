"""A line as it is typed at a terminal that neither echoes nor edits by itself.

Terminals that edit cut a line at 4,095 bytes, less than some redirects have.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from dataclasses import dataclass, field
from typing import Final

ENTER: Final = "\r\n"
ERASE: Final = "\x7f\b"
ERASE_ALL: Final = "\x15\x17"
END_OF_INPUT: Final = "\x04"
ESCAPE: Final = "\x1b"


@dataclass(slots=True)
class Edit:
    """What some keys did.

    Attributes:
        lines: those that were finished.
        echo: what the terminal is to show.
        ended: whether there will be no more.
    """

    lines: list[str] = field(default_factory=list[str])
    echo: str = ""
    ended: bool = False


class LineEditor:
    """Makes lines of keys: text, backspace, Ctrl-U and Ctrl-D; keys like arrows do nothing.

    Attributes:
        line: what is typed so far.
    """

    def __init__(self) -> None:
        self.line = ""
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._escape = ""

    def feed(self, keys: bytes) -> Edit:
        """Return what these keys do."""
        edit = Edit()
        for key in self._decoder.decode(keys):
            if self._escape or key == ESCAPE:
                self._skip(key)
            else:
                self._press(key, edit)
        return edit

    def _press(self, key: str, edit: Edit) -> None:
        if key in ENTER:
            edit.lines.append(self.line)
            edit.echo += "\n"
            self.line = ""
        elif key in ERASE:
            self._erase(1, edit)
        elif key in ERASE_ALL:
            self._erase(len(self.line), edit)
        elif key == END_OF_INPUT:
            edit.ended = edit.ended or not self.line
        elif key.isprintable() or key == "\t":
            self.line += key
            edit.echo += " " if key == "\t" else key

    def _erase(self, count: int, edit: Edit) -> None:
        edit.echo += "\b \b" * min(count, len(self.line))
        self.line = self.line[: len(self.line) - count]

    def _skip(self, key: str) -> None:
        """Leave out an escape sequence: ESC and a key, or ESC [ or O up to a letter or tilde."""
        self._escape += key
        if len(self._escape) == 2 and key in "[O":
            return
        if len(self._escape) > 1 and (key.isalpha() or key == "~" or len(self._escape) == 2):
            self._escape = ""
