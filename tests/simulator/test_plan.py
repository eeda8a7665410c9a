"""The account's plan: one state behind endpoint, headers and refusals."""

from __future__ import annotations

import pytest

from codexia.simulator import Simulator
from codexia.simulator.plan import BadPlan

WINDOW = {"used_percent": 100, "window_seconds": 18_000, "resets_in_seconds": 5000}


async def usage(backend):
    url = f"{backend.simulator.base_url}/wham/usage"
    return await backend.client.get(url, headers=backend.headers())


async def test_endpoint_and_headers_agree(backend):
    backend.simulator.change_plan({"primary": {**WINDOW, "used_percent": 55}, "secondary": None})
    told = (await usage(backend)).json()["rate_limit"]
    headers = (await backend.respond()).headers
    assert told["primary_window"]["used_percent"] == 55
    assert headers["x-codex-primary-used-percent"] == "55"
    assert headers["x-codex-primary-reset-at"] == str(told["primary_window"]["reset_at"])
    assert told["secondary_window"] is None
    assert "x-codex-secondary-used-percent" not in headers


async def test_used_up_plan_refuses_until_quota_is_back(backend):
    backend.simulator.change_plan({"primary": WINDOW, "limit_reached": True})
    refused = await backend.respond()
    assert refused.status == 429
    assert refused.json["error"]["type"] == "usage_limit_reached"
    told = (await usage(backend)).json()["rate_limit"]
    assert told["limit_reached"] is True
    assert refused.json["error"]["resets_at"] == told["primary_window"]["reset_at"]
    backend.simulator.change_plan({"limit_reached": False})
    assert (await backend.respond()).status == 200


async def test_further_limit_refuses_its_model_only(backend):
    further = {
        "limit_name": "Spark",
        "metered_feature": "codex_bengalfox",
        "limit_reached": True,
        "primary": WINDOW,
        "model": "gpt-6-luna",
    }
    backend.simulator.change_plan({"additional": [further]})
    refused = await backend.respond(model="gpt-6-luna")
    assert refused.status == 429
    assert refused.headers["x-codex-active-limit"] == "codex-bengalfox"
    served = await backend.respond()
    assert served.status == 200
    assert served.headers["x-codex-bengalfox-limit-name"] == "Spark"


async def test_endpoints_fail_as_told_and_a_reset_mends_them(backend):
    backend.simulator.change_plan({"fail": {"usage": 503}})
    assert (await usage(backend)).status_code == 503
    backend.simulator.reset()
    assert (await usage(backend)).status_code == 200


def test_impossible_plan_is_refused():
    with pytest.raises(BadPlan, match="primary"):
        Simulator().change_plan({"primary": {"used_percent": "much"}})
