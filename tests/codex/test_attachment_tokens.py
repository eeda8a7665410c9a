"""Images and files by the rules that the README tells."""

from __future__ import annotations

import struct
from base64 import b64encode
from math import ceil

import pytest

from codexia.codex.attachment_tokens import file_text, file_tokens, image_tokens

UNKNOWN = ceil(32 * 32 * 1.2)
PAGE = 2_000


def data_url(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{b64encode(content).decode()}"


def png(width: int, height: int) -> str:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)
    return data_url("image/png", head + bytes(100))


@pytest.mark.parametrize(
    ("size", "detail", "patches"),
    [
        ((1, 1), "auto", 1),
        ((640, 480), "auto", 20 * 15),
        ((641, 481), "high", 21 * 16),
        ((640, 480), "low", 16 * 12),
        ((480, 5120), "low", 2 * 16),
        ((100, 100), "low", 4 * 4),
        ((4000, 3000), "high", 2_500),
        ((2048, 2048), "auto", 64 * 64),
        ((9000, 9000), "original", 10_000),
        ((0, 0), "low", 0),
    ],
)
def test_image_costs_its_patches_up_to_what_the_detail_allows(
    size: tuple[int, int], detail: str, patches: int
):
    assert image_tokens(png(*size), detail) == ceil(patches * 1.2)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://example.com/cat.png",
        "data:image/png;base64,====",
        "data:image/png;base64,\u00e9",
        "data:image/png,abc",
        data_url("image/svg+xml", b"<svg/>"),
    ],
)
def test_image_whose_size_cannot_be_read_counts_as_one_of_1024_pixels(url: str):
    assert image_tokens(url, "auto") == UNKNOWN


def test_size_of_a_jpeg_is_found_behind_its_metadata():
    metadata = (b"\xff\xe2" + struct.pack(">H", 60_002) + bytes(60_000)) * 4
    frame = struct.pack(">BBHBHH", 0xFF, 0xC2, 17, 8, 480, 640)
    url = data_url("image/jpeg", b"\xff\xd8" + metadata + frame + bytes(1_000_000))
    assert image_tokens(url, "auto") == ceil(300 * 1.2)


def test_text_file_is_its_text():
    assert file_text(data_url("text/markdown", "# Überschrift".encode())) == "# Überschrift"
    assert file_text(data_url("application/json", b"{}")) == "{}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        data_url("application/pdf", b"%PDF-1.4"),
        data_url("text/plain", b"\xff\xfe\x00"),
    ],
)
def test_other_file_is_no_text(url: str):
    assert file_text(url) is None


def test_pdf_costs_its_pages():
    page = b"<< /Type /Page /Parent 2 0 R >>"
    content = b"%PDF-1.4\n<< /Type /Pages /Count 3 >>" + page * 2 + b"<</Type/Page>>"
    assert file_tokens(data_url("application/pdf", content)) == 3 * PAGE


def test_file_that_shows_no_pages_is_judged_by_its_size():
    assert file_tokens(data_url("application/pdf", bytes(450_000))) == 4 * PAGE
    assert file_tokens(data_url("application/msword", b"short")) == PAGE
    assert file_tokens("https://example.com/report.pdf") == PAGE
