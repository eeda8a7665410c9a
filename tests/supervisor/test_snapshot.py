"""What a worker makes of the account's catalogue."""

from __future__ import annotations

from codexia.config import Settings
from codexia.control import Snapshot
from codexia.models import ModelTable, models_of_catalogue
from codexia_supervisor.snapshot import build_snapshot

CATALOGUE = {
    "models": [
        {"slug": "gpt-6-sol", "priority": 1, "visibility": "list"},
        {"slug": "hidden", "priority": 2, "visibility": "hide", "context_window": 1000},
        {"slug": "old", "priority": 3, "visibility": "list", "upgrade": {"model": "gpt-6-sol"}},
    ]
}


def table(*without: str) -> ModelTable:
    """Return a worker's table, made of a catalogue that went over the wire."""
    models = [model for model in models_of_catalogue(CATALOGUE) if model.id not in without]
    snapshot = build_snapshot(Settings(), None, "", models, 1, 0)
    return Snapshot.model_validate_json(snapshot.model_dump_json()).model_table()


def test_hidden_models_are_known_and_not_offered():
    assert table().ids == ("gpt-6-sol", "old")
    assert table().facts("hidden").context_window == 1000
    assert table().resolve("hidden").id == "hidden"


def test_model_of_the_account_is_not_retired():
    assert table().account == {"gpt-6-sol", "hidden", "old"}
    assert table().resolve("old").id == "old"
    assert table().facts("old").upgrade == "gpt-6-sol"


def test_model_that_the_account_lacks_is_retired():
    assert table().resolve("gpt-5.5").id == "gpt-6-sol"
    assert table().resolve("claude-sonnet-4-5").id == "gpt-6-sol"


def test_no_catalogue_retires_nothing():
    assert table("gpt-6-sol", "hidden", "old").account == frozenset()
