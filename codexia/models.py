"""Which models there are, and which one a client's model name means.

Names resolve in this order: a configured alias, a name that the catalogue lists, an
Anthropic name (which gets the fallback), anything else as it is, so that a model which is
newer than the catalogue works and the backend's own refusal is what the caller reads. What
comes out and is not the account's any more gives way to its successor, if that is known.

A name may end in an effort (`gpt-5.5-high`), unless a model or an alias is really called so.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import orjson

from codexia.codex.payload import child_at, text_at

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
    """What is known of one model.

    Attributes:
        listed: whether it is for clients to choose; others work all the same.
        upgrade: id of the model that takes over from it, "" where there is none.
        prefer_websockets: whether the backend wants to be asked for it by WebSocket.
        named_effort: the effort that the client's own name for the model ends in.
    """

    id: str
    display_name: str
    context_window: int = DEFAULT_CONTEXT_WINDOW
    efforts: tuple[str, ...] = DEFAULT_EFFORTS
    listed: bool = True
    upgrade: str = ""
    prefer_websockets: bool = False
    named_effort: str | None = None

    def effort(self, wanted: str | None) -> str | None:
        """Return the effort to ask for: the nearest that the model has to what is wanted.

        That is `wanted`, else the one in the model's name; None leaves it to the backend.
        Lower ones are raised to the lowest and higher ones lowered to the highest. `ultra`
        is a mode of the official client and not an effort of the backend.
        """
        wanted = wanted or self.named_effort
        return self._nearest(wanted) if wanted else None

    def _nearest(self, wanted: str) -> str:
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
        account: ids of the account's own catalogue, listed or not; empty until it is known.
    """

    ids: tuple[str, ...] = BUILT_IN
    fallback: str = "gpt-5.5"
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    known: Mapping[str, Model] = field(default_factory=lambda: built_in_facts())  # noqa: PLW0108 - defined below

    account: frozenset[str] = frozenset()

    def resolve(self, name: str) -> Model:
        """Return the model that a client's name means."""
        wanted, effort = self._read(name)
        if wanted in self.aliases:
            wanted, meant = self._read(self.aliases[wanted])
            effort = effort or meant
        if not self._is_model(wanted) and _is_anthropic(wanted):
            wanted, meant = self._read(self.fallback)
            effort = effort or meant
        model = self.facts(self._successor(wanted))
        return replace(model, named_effort=effort) if effort else model

    def offered(self) -> list[Model]:
        """Return the models to choose from, and after them the aliases under their own names."""
        aliases = [alias for alias in self.aliases if alias not in self.ids]
        return [
            *map(self.facts, self.ids),
            *(replace(self.resolve(alias), id=alias, display_name=alias) for alias in aliases),
        ]

    def facts(self, model_id: str) -> Model:
        """Return what is known of a model, with cautious defaults for an unknown one."""
        return self.known.get(model_id) or Model(model_id, _display_name(model_id))

    def _read(self, name: str) -> tuple[str, str | None]:
        """Return a name without what is put before and after it, and the effort that it ends in."""
        name = name.strip()
        if name.lower().endswith(CONTEXT_SUFFIX):
            name = name[: -len(CONTEXT_SUFFIX)]
        if name in self.aliases:
            return name, None
        for prefix in PROVIDER_PREFIXES:
            name = name.removeprefix(prefix)
        base, _, effort = name.rpartition("-")
        if effort not in EFFORTS or self._is_model(name) or name in self.aliases:
            return name, None
        if self._is_model(base) or base in self.aliases or _is_anthropic(base):
            return base, effort
        return name, None

    def _is_model(self, name: str) -> bool:
        # `gpt-5.1-codex-max` is no effort, whether or not the account still has it.
        return name in self.ids or name in self.known or name in BUILT_IN

    def _successor(self, model_id: str) -> str:
        """Return the model that took the place of a retired one, or else the id itself."""
        successor = model_id
        for _ in self.known if self.account else ():
            if successor in self.account or successor in self.ids:
                return successor
            successor = self.facts(successor).upgrade
        return model_id


def models_of_catalogue(catalogue: dict[str, Any]) -> list[Model]:
    """Return the models of a backend catalogue (`GET /codex/models`), the most recommended first."""
    entries = sorted(catalogue.get("models", ()), key=lambda entry: entry.get("priority", 0))
    return [_model(entry) for entry in entries]


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
        listed=entry.get("visibility") == "list" and entry.get("supported_in_api", True),
        upgrade=text_at(child_at(entry, "upgrade"), "model"),
        prefer_websockets=entry.get("prefer_websockets") is True,
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
