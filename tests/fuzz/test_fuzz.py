"""A short run of every fuzz target; `python -m tests.fuzz` is the long one."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.mutations import mutated
from tests.fuzz.targets import SEEDS, TARGETS

RANDOM_INPUTS, MUTATIONS = 30, 200


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_taken(name: str):
    for seed in SEEDS[name]:
        TARGETS[name](seed)


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_an_input(name: str):
    @settings(max_examples=RANDOM_INPUTS)
    @given(st.binary(max_size=400))
    def run(data: bytes) -> None:
        TARGETS[name](data)

    run()


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_almost_valid_is_an_input(name: str):
    chance = random.Random(name)
    for _ in range(MUTATIONS):
        data = mutated(chance, SEEDS[name])
        try:
            TARGETS[name](data)
        except Exception as error:
            error.add_note(repr(data[:2000]))
            raise
