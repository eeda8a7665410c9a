"""What a recording of one exchange holds: both requests and both replies, as text with times."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from codexia.control import ModelRules  # noqa: TC001 - pydantic resolves it at run time

FORMAT: Final = 1

MAX_EXCHANGE_BYTES: Final = 16 * 1024 * 1024
"""Of all bodies of one exchange. A larger one is not recorded."""

MAX_RECORDING_BYTES: Final = 8 * MAX_EXCHANGE_BYTES
"""Of a file: text within text has its quotes escaped, and every read has two numbers."""

NAME: Final = re.compile(r"\d{8}T\d{6}\.\d{3}Z-(req_[0-9a-f]{24,40})")
"""Of a file, without `.json`: when the request began, and its id. Names sort by time."""

End: TypeAlias = Literal["ended", "broken", "silent", "left"]
"""How a reply ended: as it should, by a break, by silence, or because who read it went."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Request(_Part):
    """A request, its body as text whatever encoding it came in.

    Attributes:
        headers: names in lower case; values that could be secrets are masked.
        exact: whether the body is UTF-8 and so is here as it was.
    """

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = Field(repr=False)
    body: str = Field(repr=False)
    exact: bool = True


class Reply(_Part):
    """A reply.

    Attributes:
        status: 0 where there was none.
        parts: of the body, as it was read or sent: milliseconds since the exchange began, bytes.
        exact: whether the body is UTF-8 and so is here as it was.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = Field(default=(), repr=False)
    body: str = Field(default="", repr=False)
    parts: tuple[tuple[float, int], ...] = ()
    end: End
    exact: bool = True


class UpstreamExchange(_Part):
    """One call to the backend.

    Attributes:
        transport: `http`, or `websocket`, whose messages are written as a stream's events.
        at_ms: when it began, since the exchange did.
    """

    transport: Literal["http", "websocket"] = "http"
    at_ms: float
    request: Request
    reply: Reply


class Recording(_Part):
    """One exchange with a client, and the calls to the backend that it took.

    Attributes:
        transport: how the client came; the messages of a WebSocket are written as a stream's events.
        version: of the gateway.
        at: when it began, unix seconds.
        key: name of the local key.
        outcome: as in the access log, like `code`.
        content: whether texts are in it, and not only their lengths.
        models: what names of models meant.
    """

    format: int = FORMAT
    id: str
    version: str
    transport: Literal["http", "websocket"] = "http"
    at: float
    dialect: str
    model: str = ""
    key: str = ""
    outcome: str = ""
    code: str = ""
    content: bool = True
    models: ModelRules
    request: Request
    upstream: tuple[UpstreamExchange, ...] = ()
    reply: Reply
