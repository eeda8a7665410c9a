"""scenarios.toml can be run and shown."""

from __future__ import annotations

import orjson
import pytest
from pydantic import ValidationError

from bench.bodies import request_body
from bench.dialects import DIALECTS
from bench.job import PROMPT
from bench.numbers import NUMBERS
from bench.scenario import Scenario, Streams, scenarios
from codexia.simulator import stream_text

LANES = {*DIALECTS, "nginx", "direct", "bare messages", "bare chat"}


@pytest.mark.parametrize("scenario", scenarios().values(), ids=scenarios().keys())
def test_scenario_names_what_there_is(scenario: Scenario):
    assert {*scenario.columns, *scenario.bars} <= NUMBERS.keys()
    assert set(scenario.lanes) <= LANES
    assert set(scenario.opponents) <= DIALECTS.keys()


@pytest.mark.parametrize("scenario", scenarios().values(), ids=scenarios().keys())
def test_smoke_run_is_small(scenario: Scenario):
    small = scenario.smoke()
    assert small.streams
    assert small.streams * small.deltas <= 1000
    assert (small.rounds, small.lanes) == (1, scenario.lanes)


def test_expected_text_is_what_the_simulator_sends():
    streams = Streams(concurrency=1, streams=1, deltas=4, size_chars=6)
    assert streams.text == stream_text(4, 6)
    assert streams.prompt == "STREAM[[deltas=4 gap_ms=0 size=6]]"


@pytest.mark.parametrize("end", [{}, {"streams": 1, "seconds": 1}])
def test_streams_end_in_one_way(end: dict[str, int]):
    with pytest.raises(ValidationError, match="either streams or seconds"):
        Streams(concurrency=1, deltas=1, **end)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("size_bytes", [100_000, 1_000_000])
def test_agents_request_is_as_large_as_it_is_to_be(dialect: str, size_bytes: int):
    body = request_body(dialect, size_bytes)
    assert len(body) == pytest.approx(size_bytes, rel=0.15)
    assert body.count(PROMPT) == 1
    assert len(orjson.loads(body)["tools"]) == 20
