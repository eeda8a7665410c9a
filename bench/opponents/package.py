"""What an opponent is installed from."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Package(BaseModel):
    """A package of a public registry, at the version that was tried.

    Attributes:
        name: as the registry has it.
        version: tried; `bench.install_opponents` takes the newest where it is not served.
        extras: of a PyPI package.
        python: that a PyPI package needs, `3.13`; "" for the one that Codexia runs on, so that
            both have the same interpreter.
    """

    model_config = ConfigDict(frozen=True)

    registry: Literal["pypi", "npm"]
    name: str
    version: str
    extras: str = ""
    python: str = ""

    def requirement(self, version: str) -> str:
        """Return what the registry's client takes; the newest version if that is ""."""
        if self.registry == "npm":
            return f"{self.name}@{version or 'latest'}"
        extras = f"[{self.extras}]" if self.extras else ""
        return f"{self.name}{extras}" + (f"=={version}" if version else "")


class Installed(BaseModel):
    """What the installer leaves in an opponent's folder once everything is there."""

    package: str
    version: str
    runtime: str
