"""The tokenizer, one for all workers."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from codexia.errors import CodexiaError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tiktoken import Encoding

VOCABULARY_SHA256: Final = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"

_LETTERS: Final = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
_CAPITALS: Final = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
_CONTRACTION: Final = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
PATTERN: Final = "|".join(
    (
        rf"[^\r\n\p{{L}}\p{{N}}]?{_LETTERS}{_CONTRACTION}",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_CAPITALS}{_CONTRACTION}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
"""Where o200k cuts a text before it looks for tokens."""

PIECE_CHARS: Final = 32 * 1024
"""Longer texts are cut, which adds at most a token at each cut. tiktoken's regular expression runs
out of stack on a million spaces, and the counts of others wait no longer than for one batch."""

BATCH_CHARS: Final = 8 * PIECE_CHARS
THREADS: Final = 2
MAX_TOOLS: Final = 4096


class VocabularyDamaged(CodexiaError):
    """The file that the tokenizer is made of is not the one that was shipped."""


class TokenCounter:
    """Counts tokens of o200k, the vocabulary of the backend's models.

    tiktoken gives up the interpreter lock while it works, so threads keep it off the event
    loop. It is loaded at the first count: that takes 0.4 s and 76 MB.
    """

    def __init__(self) -> None:
        self._encoding: Encoding | None = None
        self._loading = asyncio.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="token-counter")
        self._tool_tokens: dict[bytes, int] = {}

    async def count(self, texts: Sequence[str], tools: Sequence[str]) -> int:
        """Return the tokens of all texts and tools together, each counted by itself.

        Nothing in a text is special: what looks like a control token counts as it reads.

        Args:
            texts: any.
            tools: texts that come again; their counts are remembered.

        Raises:
            VocabularyDamaged: says what to do.
        """
        digests = [sha256(tool.encode()).digest() for tool in tools]
        known = {
            digest: self._tool_tokens[digest] for digest in digests if digest in self._tool_tokens
        }
        new = {
            digest: tool for digest, tool in zip(digests, tools, strict=True) if digest not in known
        }
        counts = await self._count_each([*texts, *new.values()])
        counted = dict(zip(new, counts[len(texts) :], strict=True))
        self._remember(counted)
        known |= counted
        return sum(counts[: len(texts)]) + sum(known[digest] for digest in digests)

    def _remember(self, counted: Mapping[bytes, int]) -> None:
        self._tool_tokens.update(counted)
        while len(self._tool_tokens) > MAX_TOOLS:
            del self._tool_tokens[next(iter(self._tool_tokens))]

    async def _count_each(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        encoding = await self._load()
        loop = asyncio.get_running_loop()
        counts = [0] * len(texts)
        for batch in _batches(texts):
            pieces = [piece for _, piece in batch]
            tokens = await loop.run_in_executor(self._threads, _count, encoding, pieces)
            for (place, _), count in zip(batch, tokens, strict=True):
                counts[place] += count
        return counts

    async def _load(self) -> Encoding:
        async with self._loading:
            if self._encoding is not None:
                return self._encoding
            loop = asyncio.get_running_loop()
            encoding = await loop.run_in_executor(self._threads, load_encoding)
            self._encoding = encoding
            return encoding


def load_encoding() -> Encoding:
    """Return o200k as it was shipped; tiktoken itself would download it.

    Raises:
        VocabularyDamaged: the file is another one.
    """
    # A supervisor that never counts need not hold the 4 MB.
    from tiktoken import Encoding  # noqa: PLC0415

    content = files("codexia").joinpath("data", "o200k_base.tiktoken").read_bytes()
    if sha256(content).hexdigest() != VOCABULARY_SHA256:
        raise VocabularyDamaged(
            "the vocabulary of the tokenizer is damaged; install codexia-gateway again"
        )
    lines = (line.split() for line in content.splitlines())
    ranks = {b64decode(token): int(rank) for token, rank in lines}
    return Encoding("o200k_base", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})


def _batches(texts: Sequence[str]) -> Iterator[list[tuple[int, str]]]:
    """Yield the texts in pieces, each with the number of its text, as many as one turn takes."""
    batch: list[tuple[int, str]] = []
    chars = 0
    for place, text in enumerate(texts):
        for start in range(0, len(text), PIECE_CHARS):
            piece = text[start : start + PIECE_CHARS]
            batch.append((place, piece))
            chars += len(piece)
            if chars >= BATCH_CHARS:
                yield batch
                batch, chars = [], 0
    if batch:
        yield batch


def _count(encoding: Encoding, pieces: Sequence[str]) -> list[int]:
    return [len(encoding.encode_ordinary(piece)) for piece in pieces]
