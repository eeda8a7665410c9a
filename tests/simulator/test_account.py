"""Catalogue, usage, account and images."""

from __future__ import annotations

import base64

import pytest

GETS = ["/wham/usage", "/wham/accounts/check", "/accounts/check/v4-2023-04-27"]


async def get(backend, path, **headers):
    url = f"{backend.simulator.base_url}{path}"
    return await backend.client.get(url, headers=backend.headers(**headers))


async def make_images(backend, **body):
    url = f"{backend.simulator.base_url}/codex/images/generations"
    return await backend.client.post(url, headers=backend.headers(), json=body)


@pytest.mark.parametrize("path", [*GETS, "/codex/models?client_version=0.169.0"])
async def test_login_is_needed(backend, path):
    answer = await get(backend, path, authorization=None)
    assert (answer.status_code, answer.json()) == (401, {"detail": "Unauthorized"})


async def test_catalogue_shows_what_the_client_version_may_see(backend):
    old = (await get(backend, "/codex/models?client_version=0.124.0")).json()["models"]
    new = (await get(backend, "/codex/models?client_version=0.169.0")).json()["models"]
    assert [model["slug"] for model in old] == ["gpt-5.5", "codex-auto-review"]
    assert len(new) == 12
    assert backend.simulator.stats.violation_count == 0


async def test_catalogue_is_not_sent_twice(backend):
    path = "/codex/models?client_version=0.169.0"
    etag = (await get(backend, path)).headers["etag"]
    again = await get(backend, path, if_none_match=etag)
    assert (again.status_code, again.content) == (304, b"")
    assert (await backend.respond()).headers["x-models-etag"] == etag


@pytest.mark.parametrize("path", ["/codex/models", "/codex/models?client_version=new"])
async def test_catalogue_needs_a_client_version(backend, path):
    answer = await get(backend, path)
    assert answer.status_code == 422
    assert backend.violation_kinds() == ["client_version"]


async def test_usage_tells_the_windows(backend):
    usage = (await get(backend, "/wham/usage")).json()
    assert usage["plan_type"] == "pro"
    assert usage["rate_limit"]["primary_window"]["used_percent"] == 31
    assert usage["rate_limit"]["secondary_window"]["limit_window_seconds"] == 604_800


async def test_account_is_the_logins_own(backend):
    account_id = backend.credentials["account_id"]
    now = (await get(backend, "/wham/accounts/check")).json()
    older = (await get(backend, "/accounts/check/v4-2023-04-27")).json()
    assert now["default_account_id"] == account_id
    assert now["accounts"][0]["workspace_backend_origin"] == "NO_CONSTRAINT"
    assert older["accounts"]["default"]["entitlement"]["has_active_subscription"] is True
    assert older["account_ordering"] == [account_id]


async def test_images_are_pngs(backend):
    answer = await make_images(backend, prompt="an apple", model="gpt-image-2", n=2)
    made = [base64.b64decode(each["b64_json"]) for each in answer.json()["data"]]
    assert len(made) == 2
    assert all(each.startswith(b"\x89PNG\r\n") for each in made)
    assert backend.simulator.stats.violation_count == 0


async def test_images_are_as_asked_for(backend):
    asked = {"size": "1024x1024", "quality": "high", "background": "auto"}
    answer = (await make_images(backend, prompt="x", model="gpt-image-2", **asked)).json()
    assert [answer[name] for name in ("size", "quality", "background")] == [
        "1024x1024",
        "high",
        "opaque",
    ]


async def test_fewer_images_than_asked_for(backend):
    answer = await make_images(backend, prompt="IMAGES[[made=1]]", model="gpt-image-2", n=3)
    assert len(answer.json()["data"]) == 1


@pytest.mark.parametrize(
    ("fault", "status"), [("404", 404), ("405", 405), ("500", 500), ("503", 503), ("429", 429)]
)
async def test_images_endpoint_fails_on_request(backend, fault, status):
    answer = await make_images(backend, prompt=f"IMAGES[[fault={fault}]]", model="gpt-image-2")
    assert answer.status_code == status
    assert backend.simulator.stats.violation_count == 0


@pytest.mark.parametrize(
    "body",
    [
        {"model": "gpt-image-2"},
        {"prompt": "x"},
        {"prompt": "x", "model": "m", "response_format": "b64_json"},
    ],
)
async def test_improper_image_request_is_a_violation(backend, body):
    assert (await make_images(backend, **body)).status_code == 400
    assert backend.simulator.stats.violation_count == 1


async def test_too_many_images_are_the_clients_fault(backend):
    answer = await make_images(backend, prompt="x", model="gpt-image-2", n=11)
    assert (answer.status_code, backend.rejection_kinds()) == (400, ["image"])
