"""Which model a name means, and with which effort."""

from __future__ import annotations

import pytest

from codexia.models import BUILT_IN, Model, ModelTable, built_in_facts, models_of_catalogue

TABLE = ModelTable(
    ids=("gpt-5.5", "gpt-6-sol", "gpt-7-max"),
    aliases={
        "fast": "gpt-6-sol",
        "deep": "gpt-6-sol-xhigh",
        "claude-deep": "openai/gpt-6-sol-max",
        "gpt-5.5-high": "gpt-6-luna",
        "quick": "sonnet",
        "ring": "ring-high",
    },
)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("gpt-5.5", "gpt-5.5"),
        ("openai-codex/gpt-6-sol", "gpt-6-sol"),
        ("fast", "gpt-6-sol"),
        ("openai/fast", "gpt-6-sol"),
        ("claude-sonnet-4-5", "gpt-5.5"),
        ("claude-opus-5-5[1m]", "gpt-5.5"),
        ("anthropic/claude-haiku", "gpt-5.5"),
        ("opus", "gpt-5.5"),
        ("quick", "gpt-5.5"),
        ("ring", "ring"),
        ("gpt-6-sol[1M]", "gpt-6-sol"),
        ("gpt-9-unheard-of", "gpt-9-unheard-of"),
    ],
)
def test_name_resolves(name: str, meant: str):
    assert TABLE.resolve(name).id == meant


@pytest.mark.parametrize(
    ("name", "meant", "effort"),
    [
        ("gpt-5.5", "gpt-5.5", None),
        ("gpt-5.5-low", "gpt-5.5", "low"),
        ("gpt-5.5-medium", "gpt-5.5", "medium"),
        ("gpt-5.5-xhigh", "gpt-5.5", "xhigh"),
        ("gpt-5.5-max", "gpt-5.5", "xhigh"),
        ("gpt-5.5-none", "gpt-5.5", "low"),
        ("gpt-5.5-minimal", "gpt-5.5", "low"),
        ("gpt-6-sol-high[1m]", "gpt-6-sol", "high"),
        ("gpt-6-sol-ultra", "gpt-6-sol", "max"),
        ("codex/gpt-6-sol-max", "gpt-6-sol", "max"),
        ("fast-high", "gpt-6-sol", "high"),
        ("deep", "gpt-6-sol", "xhigh"),
        ("deep-low", "gpt-6-sol", "low"),
        ("claude-deep", "gpt-6-sol", "max"),
        ("gpt-5.5-high", "gpt-6-luna", None),
        ("claude-sonnet-4-5-high", "gpt-5.5", "high"),
        ("gpt-7-max", "gpt-7-max", None),
        ("gpt-7-max-low", "gpt-7-max", "low"),
        ("gpt-5.1-codex-max", "gpt-5.1-codex-max", None),
        ("gpt-9-unheard-of-high", "gpt-9-unheard-of-high", None),
        ("gpt-5.5-heavy", "gpt-5.5-heavy", None),
    ],
)
def test_name_may_end_in_an_effort(name: str, meant: str, effort: str | None):
    model = TABLE.resolve(name)
    assert (model.id, model.effort(None)) == (meant, effort)


def test_effort_of_the_request_beats_the_one_in_the_name():
    assert TABLE.resolve("gpt-5.5-high").effort("low") == "low"


def test_fallback_may_end_in_an_effort():
    model = ModelTable(fallback="gpt-6-sol-high").resolve("claude-sonnet-4-5")
    assert (model.id, model.effort(None)) == ("gpt-6-sol", "high")


def test_alias_of_an_anthropic_name_beats_the_fallback():
    table = ModelTable(aliases={"claude-opus-5-5": "gpt-6-sol"})
    assert table.resolve("claude-opus-5-5").id == "gpt-6-sol"


def of_account(*ids: str, **fields: object) -> ModelTable:
    """Return the table of an account that has these models and no other."""
    return ModelTable(ids=ids, account=frozenset(ids), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("offered", "name", "meant"),
    [
        (("gpt-6-sol",), "gpt-5.5", "gpt-6-sol"),
        (("gpt-6-sol",), "gpt-5.5-low", "gpt-6-sol"),
        (("gpt-6-sol",), "claude-sonnet-4-5", "gpt-6-sol"),
        (("gpt-6-sol", "gpt-5.5"), "gpt-5.5", "gpt-5.5"),
        (("gpt-6-luna",), "gpt-5.5", "gpt-5.5"),
        (("gpt-6-sol",), "gpt-5.2-codex", "gpt-5.2-codex"),
    ],
    ids=[
        "successor is on offer",
        "with an effort",
        "as the fallback",
        "not retired",
        "successor is not on offer",
        "no successor is known",
    ],
)
def test_retired_model_gives_way_to_its_successor(offered: tuple[str, ...], name: str, meant: str):
    assert of_account(*offered).resolve(name).id == meant


def test_successors_are_followed_and_never_in_a_circle():
    known = {
        "a": Model("a", "A", upgrade="b"),
        "b": Model("b", "B", upgrade="c"),
        "c": Model("c", "C"),
        "x": Model("x", "X", upgrade="y"),
        "y": Model("y", "Y", upgrade="x"),
    }
    table = of_account("c", known=known)
    assert table.resolve("a").id == "c"
    assert table.resolve("x").id == "x"


def test_nothing_is_retired_before_the_catalogue_is_known():
    assert ModelTable(ids=("gpt-6-sol",)).resolve("gpt-5.5").id == "gpt-5.5"


def test_configured_model_is_not_retired():
    table = ModelTable(ids=("gpt-5.5",), account=frozenset({"gpt-6-sol"}))
    assert table.resolve("gpt-5.5").id == "gpt-5.5"


def test_aliases_are_offered_after_the_models():
    table = ModelTable(
        ids=("gpt-6-sol", "b"), aliases={"b": "gpt-6-sol", "claude-sol": "gpt-6-sol"}
    )
    offered = table.offered()
    assert [model.id for model in offered] == ["gpt-6-sol", "b", "claude-sol"]
    assert offered[2].display_name == "claude-sol"
    assert offered[2].efforts == offered[0].efforts


@pytest.mark.parametrize(
    ("efforts", "wanted", "given"),
    [
        (("low", "medium", "high"), "medium", "medium"),
        (("low", "medium", "high"), "minimal", "low"),
        (("low", "medium", "high"), "none", "low"),
        (("low", "medium", "high"), "xhigh", "high"),
        (("low", "high"), "medium", "low"),
        (("low", "medium", "max", "ultra"), "ultra", "max"),
        (("low", "medium", "high"), "nonsense", "medium"),
    ],
)
def test_effort_is_one_that_the_model_has(efforts: tuple[str, ...], wanted: str, given: str):
    assert Model("m", "M", efforts=efforts).effort(wanted) == given


def test_catalogue_keeps_its_order_and_tells_what_is_for_clients():
    entries = [
        {"slug": "b", "priority": 2, "visibility": "list", "upgrade": {"model": "a"}},
        {"slug": "hidden", "priority": 0, "visibility": "hide"},
        {"slug": "not-for-apis", "priority": 0, "visibility": "list", "supported_in_api": False},
        {"slug": "a", "priority": 1, "visibility": "list", "context_window": 1000},
    ]
    models = models_of_catalogue({"models": entries})
    assert [model.id for model in models] == ["hidden", "not-for-apis", "a", "b"]
    assert [model.id for model in models if model.listed] == ["a", "b"]
    assert models[2].context_window == 1000
    assert [model.upgrade for model in models] == ["", "", "", "a"]


def test_built_in_facts_know_the_default_fallback():
    assert built_in_facts()["gpt-5.5"].efforts == ("low", "medium", "high", "xhigh")


def test_built_in_registry_is_what_there_is_without_a_catalogue():
    assert [model.id for model in ModelTable().offered()] == list(BUILT_IN)
