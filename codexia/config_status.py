"""The settings in force as the supervisor tells them to the command line."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class ConfigValue(BaseModel):
    """A setting in force; of a secret only that there is one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    value: Any
    source: str


class ConfigStatus(BaseModel):
    """The settings in force.

    Attributes:
        path: of config.json.
        values: by key, all of them.
        problem: what is wrong with config.json, whose last good content is in force then.
        warnings: what of config.json has no effect, and why.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str
    values: dict[str, ConfigValue]
    problem: str = ""
    warnings: tuple[str, ...] = ()
