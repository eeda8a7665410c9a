"""Files of requests that a batch is to be made of, on this host's disk.

| the file has | it is |
|---|---|
| lines `{"custom_id", "params"}` | Anthropic's requests, one a line |
| lines `{"custom_id", "method", "url", "body"}` | an input file of OpenAI's Batch API |
| one object `{"requests": [...]}` | the body that creates a batch of Anthropic's |

Lines are all checked before anything is sent. A file is never in memory as a whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from codexia.dialects.openai_batches import ENDPOINTS
from codexia.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Kind = Literal["messages_lines", "messages_body", "openai_lines"]

PIECE_BYTES: Final = 256 * 1024
TOLD_PROBLEMS: Final = 5

_CUSTOM_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_REQUESTS = re.compile(rb'\s*\{\s*"requests"\s*:')


class BatchInput:
    """One file of requests.

    Attributes:
        path: where it is.
        kind: what its content is.
        endpoint: which the lines call; "" where the supervisor is to tell.
        size_bytes: of the file.
    """

    def __init__(self, path: Path) -> None:
        """Look into a file, and check its lines.

        Raises:
            BadRequest: it is none of the kinds, or lines of it are wrong; says which.
            OSError: it cannot be read.
        """
        self.path = path
        self.endpoint = ""
        self.size_bytes = path.stat().st_size
        self.kind: Kind = self._kind()
        if self.kind != "messages_body":
            self._check_lines()

    def content(self) -> Iterator[bytes]:
        """Yield what is to be sent, in pieces."""
        if self.kind != "messages_lines":
            with self.path.open("rb") as file:
                while piece := file.read(PIECE_BYTES):
                    yield piece
            return
        yield b'{"requests":['
        separator = b""
        for _, line in self._lines():
            yield separator + line
            separator = b","
        yield b"]}"

    def _kind(self) -> Kind:
        with self.path.open("rb") as file:
            beginning = file.read(4096)
        if _REQUESTS.match(beginning):
            return "messages_body"
        number, line = next(self._lines(), (1, b""))
        if not line:
            raise BadRequest(f"{self.path}: the file is empty")
        request = _decoded(line)
        if isinstance(request, dict):
            if "requests" in request:
                return "messages_body"
            if "params" in request:
                return "messages_lines"
            if "url" in request or "body" in request:
                return "openai_lines"
        raise BadRequest(
            f"{self.path}: line {number}: expected an object with custom_id and params, "
            "one with custom_id, method, url and body, or one with requests"
        )

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if stripped := line.strip():
                    yield number, stripped

    def _check_lines(self) -> None:
        problems: list[str] = []
        seen: dict[str, int] = {}
        for number, line in self._lines():
            reason = self._problem(_decoded(line), number, seen)
            if reason:
                problems.append(f"line {number}: {reason}")
        if problems:
            more = len(problems) - TOLD_PROBLEMS
            told = "; ".join(problems[:TOLD_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
            raise BadRequest(f"{self.path}: {told}")

    def _problem(self, request: Any, number: int, seen: dict[str, int]) -> str:
        """Return what is wrong with a line, "" for nothing."""
        if not isinstance(request, dict):
            return "not a JSON object"
        member: dict[str, Any] = request  # pyright: ignore[reportUnknownVariableType]
        custom_id = member.get("custom_id")
        if not isinstance(custom_id, str) or not custom_id:
            return "custom_id: a string is needed"
        first = seen.setdefault(custom_id, number)
        if first != number:
            return f"custom_id: {custom_id!r} is that of line {first} too"
        if self.kind == "openai_lines":
            return self._openai_problem(member)
        if not _CUSTOM_ID.fullmatch(custom_id):
            return "custom_id: 1 to 64 letters, digits, - and _ are allowed"
        return "" if isinstance(member.get("params"), dict) else "params: an object is needed"

    def _openai_problem(self, request: dict[str, Any]) -> str:
        if request.get("method") != "POST":
            return 'method: must be "POST"'
        url = request.get("url")
        if url not in ENDPOINTS:
            return f"url: batches are served for {' and '.join(ENDPOINTS)}"
        self.endpoint = self.endpoint or str(url)
        if url != self.endpoint:
            return f"url: the lines before call {self.endpoint}; a batch has one endpoint"
        return "" if isinstance(request.get("body"), dict) else "body: an object is needed"


def _decoded(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
