"""The model catalogue as the simulated backend knows it."""

from __future__ import annotations

import functools
import hashlib
from importlib import resources
from typing import Any

import orjson

CLIENT_SIDE_EFFORTS = {"ultra"}
"""Efforts that the catalogue lists for clients to show, and that the backend refuses."""

CLIENT_FIELDS: dict[str, Any] = {
    "base_instructions": "You are a coding agent of the simulator.",
    "experimental_supported_tools": [],
}
"""What Codex CLI insists on beside what the package's own catalogue keeps of each model."""


@functools.cache
def catalogue() -> dict[str, dict[str, Any]]:
    """Return every model by its slug, in the catalogue's order."""
    return {model["slug"]: model for model in orjson.loads(_content())["models"]}


@functools.cache
def catalogue_etag() -> str:
    """Return the ETag of the catalogue, which `/codex/responses` repeats as `x-models-etag`."""
    return f'W/"{hashlib.sha256(_content()).hexdigest()[:32]}"'


def efforts(model: dict[str, Any]) -> list[str]:
    """Return the reasoning efforts that the backend takes for a model."""
    listed = (level["effort"] for level in model["supported_reasoning_levels"])
    return [effort for effort in listed if effort not in CLIENT_SIDE_EFFORTS]


def models_for(client_version: tuple[int, ...]) -> list[dict[str, Any]]:
    """Return the models that a client of that version may see."""
    return [
        _for_clients(model)
        for model in catalogue().values()
        if version_tuple(model["minimal_client_version"]) <= client_version
    ]


def version_tuple(version: str) -> tuple[int, ...]:
    """Return `0.169.0` as numbers; ValueError if it is not such a version."""
    return tuple(int(part) for part in version.split("."))


def _for_clients(model: dict[str, Any]) -> dict[str, Any]:
    upgrade = model["upgrade"]
    whole = {**upgrade, "migration_markdown": "There is a newer model."} if upgrade else None
    return {**CLIENT_FIELDS, **model, "upgrade": whole}


def _content() -> bytes:
    return resources.files("codexia").joinpath("data/models.json").read_bytes()
