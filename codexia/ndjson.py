"""Newline-delimited JSON as bytes: cutting chunks into lines."""

from __future__ import annotations


class LineSplitter:
    """Chunks in, whole lines out, without their ends; what no line end followed yet is kept."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that a chunk completes, blank ones left out."""
        # Lines of many megabytes come in many chunks: only the new one is searched.
        if b"\n" not in chunk:
            self._rest += chunk
            return []
        head, _, tail = chunk.rpartition(b"\n")
        whole = bytes(self._rest) + head
        self._rest = bytearray(tail)
        return [line for line in whole.split(b"\n") if line.strip()]
