"""A way that streams can take, whoever carries them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from bench.dialects import DialectName  # noqa: TC001 - pydantic reads annotations at run time

Kind = Literal["codexia", "floor", "opponent"]


class Lane(BaseModel):
    """One way that streams can take.

    Attributes:
        name: for tables and results, `litellm chat`.
        kind: whose it is; opponents' oddities are noted, anybody else's end the run.
        url: where its requests go.
        dialect: what it speaks.
        headers: what its requests have beside the content type.
        body: the request, with `bench.job.PROMPT` where the prompt goes; "" for the dialect's own.
        carriers: the processes that carry the streams.
        product: all processes of what the streams go through, the carriers included.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Kind
    url: str
    dialect: DialectName
    headers: dict[str, str] = {}
    body: str = ""
    carriers: tuple[int, ...]
    product: tuple[int, ...]
