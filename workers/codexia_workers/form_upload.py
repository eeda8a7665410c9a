"""The form that a file is uploaded in: `multipart/form-data`, taken apart as it streams by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from codexia.errors import BadRequest, RequestTooLarge, UnsupportedMediaType
from codexia_workers.answers import header
from codexia_workers.upload import MAX_UPLOAD_BYTES, read_upload

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import Receive, Scope

MAX_FRAME_BYTES: Final = 1024 * 1024
"""Room for what a form has beside its file."""

MAX_FIELD_BYTES: Final = 4096
MAX_FIELDS: Final = 32
MAX_FILENAME_CHARS: Final = 255


class FileForm:
    """One form with a file in it; only the piece that passes is in memory.

    Attributes:
        filename: of the file, once `find_file` has found it.
        fields: the other fields so far; those behind the file are there at its end.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        """Take the form of a request.

        Raises:
            UnsupportedMediaType: the body says that it is something else.
        """
        kind, options = parse_options_header(header(scope, b"content-type"))
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not boundary:
            raise UnsupportedMediaType("send the file as a form: `multipart/form-data`")
        self.filename: str | None = None
        self.fields: dict[str, str] = {}
        self._pieces: list[bytes] = []
        self._name = ""
        self._field = bytearray()
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._complete = False
        self._body = read_upload(scope, receive, MAX_UPLOAD_BYTES + MAX_FRAME_BYTES)
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise BadRequest("the boundary of the form is too long") from error

    async def find_file(self) -> None:
        """Read on until the file begins.

        Raises:
            BadRequest: there is none, or this is no form.
            CodexiaError: what is wrong with the body as such.
        """
        while self.filename is None and await self._read():
            pass
        if self.filename is None:
            raise BadRequest(
                "the form has no file", code="missing_required_parameter", param="file"
            )

    async def content(self) -> AsyncGenerator[bytes]:
        """Give the file in pieces, and read the form to its end.

        Raises:
            RequestTooLarge: the file is over the limit.
            BadRequest: this is no form.
            CodexiaError: what is wrong with the body as such.
        """
        size_bytes = 0
        while True:
            pieces, self._pieces = self._pieces, []
            for piece in pieces:
                size_bytes += len(piece)
                if size_bytes > MAX_UPLOAD_BYTES:
                    raise RequestTooLarge(
                        f"the file is larger than {MAX_UPLOAD_BYTES // 2**20} MiB"
                    )
                yield piece
            if not await self._read():
                return

    async def _read(self) -> bool:
        """Take the next piece of the body apart; return whether there was one."""
        piece = await anext(self._body, None)
        if piece is None:
            if not self._complete:
                raise BadRequest("the form is cut short")
            return False
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise BadRequest("the body is not a valid form") from error
        return True

    def _on_part_begin(self) -> None:
        self._name = ""
        self._field.clear()

    def _on_header_field(self, chunk: bytes, start: int, end: int) -> None:
        self._header_name += chunk[start:end]

    def _on_header_value(self, chunk: bytes, start: int, end: int) -> None:
        self._header_value += chunk[start:end]

    def _on_header_end(self) -> None:
        if bytes(self._header_name).lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._header_value))
            self._name = options.get(b"name", b"").decode(errors="replace")
            if self._name == "file":
                if self.filename is not None:
                    raise BadRequest("the form has two files; send one", param="file")
                filename = options.get(b"filename", b"").decode(errors="replace")
                self.filename = filename[-MAX_FILENAME_CHARS:] or "upload"
        self._header_name.clear()
        self._header_value.clear()

    def _on_headers_finished(self) -> None:
        if not self._name:
            raise BadRequest("a part of the form has no name")

    def _on_part_data(self, chunk: bytes, start: int, end: int) -> None:
        if self._name == "file":
            self._pieces.append(chunk[start:end])
            return
        self._field += chunk[start:end]
        if len(self._field) > MAX_FIELD_BYTES:
            raise BadRequest(f"the field {self._name!r:.80} is too long")

    def _on_part_end(self) -> None:
        if self._name != "file":
            self.fields[self._name] = self._field.decode(errors="replace")
            if len(self.fields) > MAX_FIELDS:
                raise BadRequest("the form has too many fields")

    def _on_end(self) -> None:
        self._complete = True
