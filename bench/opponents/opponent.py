"""What it takes to run another gateway against the simulator, as data and one function each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bench.dialects import DialectName
    from bench.opponents.package import Package


class Login(BaseModel):
    """A login of the simulator's, with all that the real authority gives."""

    access_token: str = Field(repr=False)
    refresh_token: str = Field(repr=False)
    id_token: str = Field(repr=False)
    expires_at: int
    account_id: str

    @classmethod
    def fresh(cls, simulator_url: str) -> Login:
        """Return a new one."""
        with httpx.Client(base_url=simulator_url, trust_env=False) as client:
            known = client.post("/simulator/credentials", json={}).raise_for_status().json()
            form = {
                "client_id": "app_EMoamEEZ73f0CkXaXp7hrann",
                "grant_type": "refresh_token",
                "refresh_token": known["refresh_token"],
            }
            # Only a refresh tells the id token, which the gateway's own file does not have.
            renewed = client.post("/oauth/token", json=form).raise_for_status().json()
        return cls.model_validate({**known, **renewed})

    def codex_auth_json(self) -> dict[str, Any]:
        """Return it as the Codex CLI keeps it in `~/.codex/auth.json`."""
        return {
            "auth_mode": "chatgpt",
            "OPENAI_API_KEY": None,
            "tokens": {
                "id_token": self.id_token,
                "access_token": self.access_token,
                "refresh_token": self.refresh_token,
                "account_id": self.account_id,
            },
            # One that is days old would be renewed first.
            "last_refresh": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
        }


@dataclass(frozen=True, slots=True)
class Site:
    """Where one opponent is started.

    Attributes:
        program: the folder that it is installed in.
        home: a scratch folder, its HOME and its working directory.
        port: of loopback, to listen on.
        simulator_url: what it must speak to instead of the real backend and authority.
    """

    program: Path
    home: Path
    port: int
    simulator_url: str
    login: Login

    @property
    def codex_url(self) -> str:
        """Where the simulator serves `/responses`."""
        return f"{self.simulator_url}/backend-api/codex"

    @property
    def url(self) -> str:
        """Where the opponent is to listen."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Command:
    """A program and all of its environment, but for HOME and PATH."""

    arguments: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Opponent:
    """One other gateway.

    Attributes:
        paths: where it translates, by dialect; what it only passes through is left out.
        command: writes its files below the site's home and returns how it is started.
        headers: what a client must send.
        after_start: what it needs once it listens.
    """

    package: Package
    paths: Mapping[DialectName, str]
    command: Callable[[Site], Command]
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    after_start: Callable[[Site], None] = lambda _site: None
