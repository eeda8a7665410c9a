"""The model catalogue as the simulated backend knows it."""

from __future__ import annotations

import functools
import hashlib
from importlib import resources
from typing import Any

import orjson

CLIENT_SIDE_EFFORTS = {"ultra"}
"""Efforts that the catalogue lists for clients to show, and that the backend refuses."""


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
        model
        for model in catalogue().values()
        if version_tuple(model["minimal_client_version"]) <= client_version
    ]


def version_tuple(version: str) -> tuple[int, ...]:
    """Return `0.169.0` as numbers; ValueError if it is not such a version."""
    return tuple(int(part) for part in version.split("."))


def _content() -> bytes:
    return resources.files("codexia").joinpath("data/models.json").read_bytes()
