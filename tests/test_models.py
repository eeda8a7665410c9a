"""Which model a name means."""

from __future__ import annotations

import pytest

from codexia.models import Model, ModelTable, built_in_facts, models_of_catalogue

TABLE = ModelTable(ids=("gpt-5.5", "gpt-6-sol"), aliases={"fast": "gpt-6-sol"})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("gpt-5.5", "gpt-5.5"),
        ("openai-codex/gpt-6-sol", "gpt-6-sol"),
        ("fast", "gpt-6-sol"),
        ("claude-sonnet-4-5", "gpt-5.5"),
        ("claude-opus-5-5[1m]", "gpt-5.5"),
        ("anthropic/claude-haiku", "gpt-5.5"),
        ("opus", "gpt-5.5"),
        ("gpt-6-sol[1M]", "gpt-6-sol"),
        ("gpt-9-unheard-of", "gpt-9-unheard-of"),
    ],
)
def test_name_resolves(name: str, meant: str):
    assert TABLE.resolve(name).id == meant


def test_alias_of_an_anthropic_name_beats_the_fallback():
    table = ModelTable(aliases={"claude-opus-5-5": "gpt-6-sol"})
    assert table.resolve("claude-opus-5-5").id == "gpt-6-sol"


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


def test_catalogue_lists_what_is_for_clients_in_its_order():
    entries = [
        {"slug": "b", "priority": 2, "visibility": "list"},
        {"slug": "hidden", "priority": 0, "visibility": "hide"},
        {"slug": "not-for-apis", "priority": 0, "visibility": "list", "supported_in_api": False},
        {"slug": "a", "priority": 1, "visibility": "list", "context_window": 1000},
    ]
    models = models_of_catalogue({"models": entries})
    assert [model.id for model in models] == ["a", "b"]
    assert models[0].context_window == 1000


def test_built_in_facts_know_the_default_fallback():
    assert built_in_facts()["gpt-5.5"].efforts == ("low", "medium", "high", "xhigh")
