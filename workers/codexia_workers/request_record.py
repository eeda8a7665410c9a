"""What becomes known of one request while it is served, for the access log, counts and recordings."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import Scope

    from codexia.codex.usage import Usage
    from codexia.dialects.dialect import Translation
    from codexia.errors import CodexiaError


@dataclass(slots=True)
class RequestRecord:
    """What is known of one request; whoever learns something fills it in.

    Attributes:
        name: of the dialect or the kind of call, "" for those that generate nothing.
        model: the backend's id of the model asked for.
        status: that the client was answered with.
        outcome: how it ended, where the status does not say.
        code: of the error, where there was one.
        upstream_id: the backend's own id of its answer.
        transport: how the answer came from there.
        further: what else there is to say.
    """

    name: str = ""
    model: str = ""
    status: int = 0
    outcome: str = ""
    code: str = ""
    upstream_id: str = ""
    transport: str = ""
    served: str = ""
    usage: Usage | None = None
    started_at: float = field(default_factory=time.perf_counter)
    first_at: float = 0.0
    further: dict[str, Any] = field(default_factory=dict[str, Any])

    def translated(self, name: str, translation: Translation) -> None:
        """Take note of what is asked for."""
        self.name, self.model = name, translation.model

    def answered(self, translation: Translation, failure: CodexiaError | None = None) -> None:
        """Take note of how an answer ended."""
        self.usage = translation.reply.usage
        self.served = translation.reply.served_model
        self.outcome = "broke off" if failure else "ok"
        self.code = (failure.code or type(failure).__name__) if failure else ""

    def refused(self, status: int, error: CodexiaError) -> None:
        """Take note of the error that is the answer."""
        self.status, self.outcome = status, "refused"
        self.code = error.code or type(error).__name__


def record_of(scope: Scope) -> RequestRecord:
    """Return the record of a request; one that nobody reads where there is none."""
    return scope["state"].get("record") or RequestRecord()
