"""Generated text streams of a stated shape, whose content a client can compute beforehand.

`STREAM[[deltas=100 gap_ms=20 size=8 reasoning=5 items=1]]` in the last user text asks for one.
Delta number i of a message is `w000123 ` (the number in six digits) cut or padded with `.`
to `size` characters. Every message of the stream has the same text.
"""

from __future__ import annotations

import functools
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0, le=1_000_000)]


class StreamShape(BaseModel):
    """What `STREAM[[...]]` asks for.

    Attributes:
        deltas: text deltas in each message.
        gap_ms: pause before each delta; 0 is as fast as the client reads.
        first_ms: pause before the first delta where it is another.
        size: characters in a delta.
        reasoning: reasoning summary deltas before the messages.
        items: messages, one after the other.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    deltas: Count = 100
    gap_ms: Annotated[float, Field(ge=0, le=600_000)] = 0
    first_ms: Annotated[float, Field(ge=0, le=600_000)] | None = None
    size: Annotated[int, Field(ge=1, le=100_000)] = 8
    reasoning: Count = 0
    items: Annotated[int, Field(ge=1, le=1000)] = 1


def delta_text(number: int, size: int) -> str:
    """Return the text of delta `number`, exactly `size` characters long."""
    return f"w{number:06d} "[:size].ljust(size, ".")


@functools.lru_cache(maxsize=8)
def delta_texts(deltas: int, size: int) -> tuple[str, ...]:
    """Return the texts of a message's deltas in order."""
    return tuple(delta_text(number, size) for number in range(deltas))


def stream_text(deltas: int, size: int) -> str:
    """Return the full text of a message that `STREAM[[deltas=.. size=..]]` generates."""
    return "".join(delta_texts(deltas, size))
