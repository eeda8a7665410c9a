"""Which models there are, and which one a client's model name means.

Names resolve in this order: a configured alias, a name that the catalogue lists, an
Anthropic name (which gets the fallback), anything else as it is, so that a model which is
newer than the catalogue works and the backend's own refusal is what the caller reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra")
"""Reasoning efforts from least to most."""

DEFAULT_EFFORTS: Final = ("low", "medium", "high", "xhigh")
"""Efforts of a model that the catalogue does not list: those that every listed one takes."""

DEFAULT_CONTEXT_WINDOW: Final = 272_000
MAX_OUTPUT_TOKENS: Final = 128_000
"""The catalogue has no such field; clients that ask for one get this."""

BUILT_IN: Final = (
    "gpt-5.1",
    "gpt-5.1-codex-max",
    "gpt-5.1-codex-mini",
    "gpt-5.2",
    "gpt-5.2-codex",
    "gpt-5.3-codex",
    "gpt-5.3-codex-spark",
    "gpt-5.4",
    "gpt-5.4-mini",
    "gpt-5.5",
)
"""The registry that is served until the account's own catalogue is known."""

PROVIDER_PREFIXES: Final = ("openai-codex/", "codex/", "openai/")
ANTHROPIC_NAMES: Final = ("claude", "anthropic", "sonnet", "opus", "haiku", "fable")
CONTEXT_SUFFIX: Final = "[1m]"


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of one model."""

    id: str
    display_name: str
    context_window: int = DEFAULT_CONTEXT_WINDOW
    efforts: tuple[str, ...] = DEFAULT_EFFORTS

    def effort(self, wanted: str) -> str:
        """Return `wanted`, or the nearest effort that the model has.

        Lower ones are raised to the lowest and higher ones lowered to the highest. `ultra`
        is a mode of the official client and not an effort of the backend.
        """
        if wanted in self.efforts and wanted != "ultra":
            return wanted
        ranks = [EFFORTS.index(effort) for effort in self.efforts if effort in EFFORTS[:-1]]
        if not ranks:
            return wanted
        rank = EFFORTS.index(wanted) if wanted in EFFORTS else EFFORTS.index("medium")
        below = [known for known in ranks if known <= rank]
        return EFFORTS[max(below) if below else min(ranks)]


@dataclass(frozen=True, slots=True)
class ModelTable:
    """The models on offer and the rules that lead a name to one of them.

    Attributes:
        ids: what `/v1/models` lists, in order.
        fallback: what stands in for Anthropic's own model names.
        aliases: configured names and what they mean.
        known: facts by id; may hold more than `ids`.
    """

    ids: tuple[str, ...] = BUILT_IN
    fallback: str = "gpt-5.5"
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    known: Mapping[str, Model] = field(default_factory=lambda: built_in_facts())  # noqa: PLW0108 - defined below

    def resolve(self, name: str) -> Model:
        """Return the model that a client's name means."""
        wanted = name.strip()
        if wanted.lower().endswith(CONTEXT_SUFFIX):
            wanted = wanted[: -len(CONTEXT_SUFFIX)]
        wanted = self.aliases.get(wanted, wanted)
        for prefix in PROVIDER_PREFIXES:
            wanted = wanted.removeprefix(prefix)
        if wanted not in self.ids and _is_anthropic(wanted):
            wanted = self.fallback
        return self.facts(wanted)

    def facts(self, model_id: str) -> Model:
        """Return what is known of a model, with cautious defaults for an unknown one."""
        return self.known.get(model_id) or Model(model_id, _display_name(model_id))


def models_of_catalogue(catalogue: dict[str, Any]) -> list[Model]:
    """Return the models of a backend catalogue (`GET /codex/models`) that are for API clients."""
    return [
        _model(entry)
        for entry in sorted(catalogue.get("models", ()), key=lambda entry: entry.get("priority", 0))
        if entry.get("visibility") == "list" and entry.get("supported_in_api", True)
    ]


@cache
def built_in_facts() -> Mapping[str, Model]:
    """Return the facts of the catalogue that ships with Codexia, by id."""
    raw = files("codexia").joinpath("data", "models.json").read_bytes()
    return {entry["slug"]: _model(entry) for entry in orjson.loads(raw)["models"]}


def _model(entry: dict[str, Any]) -> Model:
    return Model(
        id=entry["slug"],
        display_name=entry.get("display_name") or _display_name(entry["slug"]),
        context_window=entry.get("context_window") or DEFAULT_CONTEXT_WINDOW,
        efforts=tuple(level["effort"] for level in entry.get("supported_reasoning_levels") or ())
        or DEFAULT_EFFORTS,
    )


def _is_anthropic(name: str) -> bool:
    return any(part in name.lower() for part in ANTHROPIC_NAMES)


def _display_name(model_id: str) -> str:
    family, _, rest = model_id.partition("-")
    return " ".join(
        [
            family.upper() if family == "gpt" else family.capitalize(),
            *(part.capitalize() for part in rest.split("-") if part),
        ]
    )
