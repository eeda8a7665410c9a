"""Tokens of images and files, by rule.

Images: OpenAI cuts them into patches of 32 by 32 pixels and takes 1.2 tokens for each, at most
as many as the detail allows (https://platform.openai.com/docs/guides/images-vision, as of
September 2026 for GPT-5.4 and later). An image whose size cannot be read is taken for one
of 1024 by 1024. Files: text by its tokens, all else by its pages; nothing is fetched.
"""

from __future__ import annotations

import binascii
import re
from math import ceil
from typing import Final

from codexia.codex.image_size import image_size

PATCH_PIXELS: Final = 32
PATCH_TOKENS: Final = 1.2
LOW_DETAIL_PIXELS: Final = 512
"""An image of low detail is first made to fit a square of this side."""

HIGH_DETAIL_PATCHES: Final = 2_500
MAX_PATCHES: Final = 10_000
"""Of `original`, and of `auto`, which means the same."""

UNKNOWN_SIZE: Final = (1024, 1024)
HEAD_BYTES: Final = 256 * 1024
"""Read of an image to find its size; a JPEG can have that much of metadata before it."""

PAGE_TOKENS: Final = 2_000
"""A page of a document is read as its text and as an image."""

PAGE_BYTES: Final = 100_000
"""A guess, for documents that do not show their pages."""

PDF_PAGE: Final = re.compile(rb"/Type\s*/Page\b")


def image_tokens(url: str, detail: str) -> int:
    """Return the tokens of an image.

    Args:
        url: where it is; a `data:` URL tells its size.
        detail: `low`, `high`, `original` or `auto`.
    """
    width, height = image_size(_content(url, HEAD_BYTES)) or UNKNOWN_SIZE
    if detail == "low":
        scale = min(1.0, LOW_DETAIL_PIXELS / max(width, height, 1))
        width, height = ceil(width * scale), ceil(height * scale)
    patches = ceil(width / PATCH_PIXELS) * ceil(height / PATCH_PIXELS)
    budget = HIGH_DETAIL_PATCHES if detail == "high" else MAX_PATCHES
    return ceil(min(patches, budget) * PATCH_TOKENS)


def file_text(url: str) -> str | None:
    """Return the text of a file that is nothing but text; None for any other."""
    if not url.startswith(("data:text/", "data:application/json")):
        return None
    try:
        return _content(url).decode()
    except UnicodeDecodeError:
        return None


def file_tokens(url: str) -> int:
    """Return the tokens of a file that is more than text: a PDF or an office document.

    Args:
        url: a `data:` URL; one page is taken for what only a fetch would tell.
    """
    content = _content(url)
    pages = len(PDF_PAGE.findall(content)) or len(content) // PAGE_BYTES
    return max(pages, 1) * PAGE_TOKENS


def _content(url: str, limit_bytes: int | None = None) -> bytes:
    """Return what a `data:` URL holds, at most about `limit_bytes` of it; b"" for any other."""
    form, _, encoded = url.partition(",")
    if not form.startswith("data:") or not form.endswith(";base64"):
        return b""
    if limit_bytes is not None:
        encoded = encoded[: limit_bytes // 3 * 4]
    try:
        return binascii.a2b_base64(encoded)
    except ValueError:
        return b""
