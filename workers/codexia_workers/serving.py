"""What a worker serves by: the last snapshot, and what is derived from it once."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from codexia.codex.failures import plan_limit
from codexia.errors import Forbidden, LoginRequired
from codexia.proxies import proxy_for

if TYPE_CHECKING:
    from starlette.types import Scope

    from codexia.codex.upstream import CodexUpstream, Credential
    from codexia.control import Snapshot
    from codexia.models import ModelTable


def serving_of(scope: Scope, newest: Serving) -> Serving:
    """Return what a request is served by from its first check to its end.

    The gate puts it into the scope. What did not pass the gate goes by the newest.
    """
    return scope["state"].get("serving") or newest


@dataclass(frozen=True, slots=True)
class Serving:
    """One revision of everything; a request takes it once and keeps it to its end."""

    snapshot: Snapshot
    upstream: CodexUpstream
    models: ModelTable
    key_digests: tuple[bytes, ...] = field(repr=False)
    credential: Credential | None
    proxy: str | None

    @classmethod
    def of(cls, snapshot: Snapshot) -> Serving:
        """Return what a snapshot means for a worker."""
        upstream = snapshot.codex_upstream()
        return cls(
            snapshot,
            upstream,
            snapshot.model_table(),
            tuple(bytes.fromhex(key.sha256) for key in snapshot.keys),
            snapshot.login.credential() if snapshot.login else None,
            proxy_for(upstream.base_url),
        )

    def login(self) -> Credential:
        """Return the credential for the backend.

        Raises:
            LoginRequired: nobody is logged in; the text says what to do.
        """
        if self.credential is None:
            raise LoginRequired(self.snapshot.login_hint or "not logged in; run `codexia login`")
        return self.credential

    def check_plan(self, model: str, now: float) -> None:
        """Return unless the plan is known to let no request of the model through.

        Raises:
            RateLimited: as the backend would say it.
        """
        for limit in self.snapshot.cooldowns:
            if limit.believed_until > now and limit.applies_to(model):
                error = plan_limit(limit.message, resets_at=limit.resets_at, plan=limit.plan)
                raise error.timed(now)

    def models_of(self, key_name: str) -> frozenset[str] | None:
        """Return the ids of the models that a local key may use; None for all."""
        for key in self.snapshot.keys:
            if key.name == key_name and key.models is not None:
                return frozenset(self.models.resolve(name).id for name in key.models)
        return None

    def check_model(self, key_name: str, model: str) -> None:
        """Return if a local key may use a model.

        Raises:
            Forbidden: it may not; the text names those that it may use.
        """
        allowed = self.models_of(key_name)
        if allowed is not None and model not in allowed:
            raise Forbidden(
                f"this local key may not use the model '{model}', only: "
                f"{', '.join(sorted(allowed))}",
                code="model_not_allowed",
                param="model",
            )

    def wants_websocket(self, model: str) -> bool:
        """Return whether a model is to be asked by WebSocket."""
        match self.snapshot.upstream_transport:
            case "auto":
                return self.models.facts(model).prefer_websockets
            case transport:
                return transport == "websocket"

    @property
    def login_revision(self) -> int | None:
        """Which login `credential` is of."""
        return self.snapshot.login.revision if self.snapshot.login else None

    def holder(self, *presented: bytes) -> str | None:
        """Return the name of the local key that is among those presented, in constant time.

        It is "" where no keys are configured, and None where none of them matches.
        """
        if not self.key_digests:
            return ""
        holder: str | None = None
        for key in presented:
            digest = sha256(key).digest()
            for known, local in zip(self.key_digests, self.snapshot.keys, strict=True):
                if hmac.compare_digest(digest, known) and holder is None:
                    holder = local.name
        return holder
