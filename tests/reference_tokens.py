"""o200k as tiktoken defines it, with the shipped vocabulary in place of the download.

The pattern and the digest are tiktoken's own, so this is a second opinion on the product's.
"""

from __future__ import annotations

from base64 import b64decode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
import tiktoken
from tiktoken_ext import openai_public

VOCABULARY = Path(__file__).parent.parent / "codexia" / "data" / "o200k_base.tiktoken"


def shipped(url: str, expected_hash: str) -> dict[bytes, int]:
    """Stand in for tiktoken's download."""
    assert url.endswith("/o200k_base.tiktoken")
    content = VOCABULARY.read_bytes()
    assert sha256(content).hexdigest() == expected_hash
    pairs = [line.split() for line in content.splitlines()]
    return {b64decode(token): int(rank) for token, rank in pairs}


@cache
def o200k() -> tiktoken.Encoding:
    """Return the tokenizer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openai_public, "load_tiktoken_bpe", shipped)
        return tiktoken.Encoding(**openai_public.o200k_base())


def tokens(*texts: str) -> int:
    """Return the tokens of some texts, nothing in them being special."""
    return sum(len(o200k().encode(text, disallowed_special=())) for text in texts)


def tool_tokens(name: str, description: str, parameters: dict[str, Any]) -> int:
    """Return the tokens of a function: its description, and the rest of OpenAI's form of it."""
    function = {"type": "function", "name": name, "parameters": parameters, "strict": False}
    return tokens(description, orjson.dumps(function).decode())
