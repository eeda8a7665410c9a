"""The login authority: codes, rotating refresh tokens, devices, and its faults."""

from __future__ import annotations

import base64
import hashlib
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest

CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"
REDIRECT_URI = "http://localhost:1455/auth/callback"
VERIFIER = "v" * 64
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
QUERY = {
    "response_type": "code",
    "client_id": CLIENT_ID,
    "redirect_uri": REDIRECT_URI,
    "scope": "openid profile email offline_access",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "state": "st4te",
}


async def authorize(backend, **changes) -> httpx.Response:
    query = {**QUERY, **changes}
    return await backend.client.get(f"{backend.simulator.issuer}/oauth/authorize", params=query)


async def callback(backend, **changes) -> dict[str, str]:
    """The query that the browser would bring to the redirect address."""
    location = (await authorize(backend, **changes)).headers["location"]
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


async def token(backend, **fields) -> httpx.Response:
    form = {"client_id": CLIENT_ID, **fields}
    return await backend.client.post(f"{backend.simulator.issuer}/oauth/token", data=form)


async def exchange(backend, code: str, **changes) -> httpx.Response:
    fields = {"code": code, "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER, **changes}
    return await token(backend, grant_type="authorization_code", **fields)


async def refresh(backend, refresh_token: str) -> httpx.Response:
    return await token(backend, grant_type="refresh_token", refresh_token=refresh_token)


def code_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def claims(jwt: str) -> dict:
    payload = jwt.split(".")[1]
    return orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


async def test_login_by_browser_gives_usable_tokens(backend):
    answer = await callback(backend)
    assert answer["state"] == "st4te"
    grant = (await exchange(backend, answer["code"])).json()
    assert set(grant) == {
        "access_token",
        "refresh_token",
        "id_token",
        "token_type",
        "scope",
        "expires_in",
    }
    backend.credentials["access_token"] = grant["access_token"]
    assert (await backend.respond()).status == 200


async def test_second_registered_redirect_is_taken(backend):
    redirect_uri = "http://localhost:1457/auth/callback"
    answer = await callback(backend, redirect_uri=redirect_uri)
    assert (await exchange(backend, answer["code"], redirect_uri=redirect_uri)).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"response_type": "token"},
        {"client_id": "other"},
        {"redirect_uri": "http://127.0.0.1:1455/auth/callback"},
        {"code_challenge_method": "plain"},
        {"code_challenge": "short"},
        {"state": ""},
        {"scope": "openid"},
    ],
)
async def test_improper_authorization_is_a_violation(backend, changes):
    response = await authorize(backend, **changes)
    assert response.status_code == 400
    assert backend.violation_kinds() == ["oauth"]


async def test_code_is_single_use(backend):
    code = (await callback(backend))["code"]
    await exchange(backend, code)
    assert code_of(await exchange(backend, code)) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "changes",
    [{"code_verifier": "w" * 64}, {"redirect_uri": "http://localhost:1457/auth/callback"}],
)
async def test_code_is_bound_to_verifier_and_redirect(backend, changes):
    code = (await callback(backend))["code"]
    assert code_of(await exchange(backend, code, **changes)) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "changes", [{"client_id": "other"}, {"grant_type": "password"}, {"refresh_token": ""}]
)
async def test_malformed_token_request_is_a_violation(backend, changes):
    fields = {"grant_type": "refresh_token", "refresh_token": "x", **changes}
    assert (await token(backend, **fields)).status_code == 400
    assert backend.violation_kinds() == ["oauth"]


async def test_refresh_rotates(backend):
    grant = (await refresh(backend, backend.credentials["refresh_token"])).json()
    assert grant["refresh_token"] != backend.credentials["refresh_token"]
    assert (await refresh(backend, grant["refresh_token"])).status_code == 200
    assert backend.simulator.stats.refreshes == 2


async def test_refresh_takes_json(backend):
    body = {
        "client_id": CLIENT_ID,
        "grant_type": "refresh_token",
        "refresh_token": backend.credentials["refresh_token"],
    }
    url = f"{backend.simulator.issuer}/oauth/token"
    assert (await backend.client.post(url, json=body)).status_code == 200


async def test_refresh_token_reuse_is_counted_and_kills_the_family(backend):
    first = backend.credentials["refresh_token"]
    second = (await refresh(backend, first)).json()["refresh_token"]
    assert code_of(await refresh(backend, first)) == (401, "refresh_token_reused")
    assert code_of(await refresh(backend, second)) == (401, "refresh_token_invalidated")
    assert backend.simulator.stats.refresh_token_reuse == 1
    assert backend.simulator.stats.refreshes == 1
    [reuse] = (await backend.client.get(f"{backend.simulator.url}/simulator/reuses")).json()
    assert time.time() - 5 < reuse["used_at"] < reuse["reused_at"] <= time.time()


async def test_other_logins_outlive_a_killed_family(backend):
    other = backend.simulator.issue_credentials()
    await refresh(backend, backend.credentials["refresh_token"])
    await refresh(backend, backend.credentials["refresh_token"])
    assert (await refresh(backend, other["refresh_token"])).status_code == 200


async def test_revoked_login_cannot_refresh(backend):
    body = {"token": backend.credentials["refresh_token"], "token_type_hint": "refresh_token"}
    url = f"{backend.simulator.issuer}/oauth/revoke"
    assert (await backend.client.post(url, json=body)).status_code == 200
    answer = await refresh(backend, backend.credentials["refresh_token"])
    assert code_of(answer) == (401, "refresh_token_invalidated")


async def test_tokens_carry_the_claims(backend):
    credentials = backend.simulator.issue_credentials(expires_in_s=60)
    found = claims(credentials["access_token"])
    auth = found["https://api.openai.com/auth"]
    assert found["exp"] == credentials["expires_at"]
    assert auth["chatgpt_account_id"] == credentials["account_id"]
    assert auth["chatgpt_plan_type"] == "pro"
    assert found["https://api.openai.com/profile"]["email"] == "simulated@example.com"


async def test_issued_credentials_have_exactly_the_stored_keys(backend):
    assert set(backend.credentials) == {
        "access_token",
        "refresh_token",
        "expires_at",
        "account_id",
    }


async def test_login_by_device(backend):
    issuer, client = backend.simulator.issuer, backend.client
    device = f"{issuer}/api/accounts/deviceauth"
    login = (await client.post(f"{device}/usercode", json={"client_id": CLIENT_ID})).json()
    poll = {name: login[name] for name in ("device_auth_id", "user_code")}
    pending = await client.post(f"{device}/token", json=poll)
    page = f"{issuer}/codex/device"
    shown = await client.get(page)
    await client.post(page, data={"user_code": login["user_code"]})
    approved = (await client.post(f"{device}/token", json=poll)).json()
    grant = await exchange(
        backend,
        approved["authorization_code"],
        redirect_uri=f"{issuer}/deviceauth/callback",
        code_verifier=approved["code_verifier"],
    )
    assert login["interval"] == "1"
    assert code_of(pending) == (403, "deviceauth_authorization_pending")
    assert "user_code" in shown.text
    assert grant.status_code == 200


async def test_unknown_device_is_404(backend):
    url = f"{backend.simulator.issuer}/api/accounts/deviceauth/token"
    answer = await backend.client.post(url, json={"device_auth_id": "x", "user_code": "y"})
    assert answer.status_code == 404


async def test_user_can_say_no(backend):
    backend.simulator.add_oauth_fault({"kind": "access_denied"})
    answer = await callback(backend)
    assert answer == {
        "state": "st4te",
        "error": "access_denied",
        "error_description": "missing_codex_entitlement",
    }


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "500"}, (500, "server_error")),
        ({"kind": "refresh_token_expired"}, (401, "refresh_token_expired")),
        ({"kind": "invalid_grant", "status": 400}, (400, "invalid_grant")),
    ],
)
async def test_refusing_fault_leaves_the_token_good(backend, fault, expected):
    backend.simulator.add_oauth_fault(fault)
    refused = await refresh(backend, backend.credentials["refresh_token"])
    assert code_of(refused) == expected
    assert (await refresh(backend, backend.credentials["refresh_token"])).status_code == 200


async def test_slow_fault_delays(backend):
    backend.simulator.add_oauth_fault({"kind": "slow", "ms": 60_000})
    with pytest.raises(httpx.ReadTimeout):
        await backend.client.post(
            f"{backend.simulator.issuer}/oauth/token",
            data={"client_id": CLIENT_ID, "grant_type": "refresh_token", "refresh_token": "x"},
            timeout=0.1,
        )


async def test_lost_answer_has_rotated(backend):
    backend.simulator.add_oauth_fault({"kind": "lost"})
    with pytest.raises(httpx.HTTPError):
        await refresh(backend, backend.credentials["refresh_token"])
    answer = await refresh(backend, backend.credentials["refresh_token"])
    assert code_of(answer) == (401, "refresh_token_reused")


async def test_partial_answer_without_refresh_token_keeps_the_old_one(backend):
    backend.simulator.add_oauth_fault({"kind": "partial"})
    grant = (await refresh(backend, backend.credentials["refresh_token"])).json()
    assert "refresh_token" not in grant
    assert (await refresh(backend, backend.credentials["refresh_token"])).status_code == 200


async def test_authority_is_set_over_http(backend):
    url = backend.simulator.issuer

    async def set_to(**wanted) -> int:
        return (await backend.client.post(f"{url}/simulator/authority", json=wanted)).status_code

    async def refreshed_twice() -> list[httpx.Response]:
        login = (await backend.client.post(f"{url}/simulator/credentials", json={})).json()
        token = {"client_id": CLIENT_ID, "refresh_token": login["refresh_token"]}
        fields = {"grant_type": "refresh_token", **token}
        return [await backend.client.post(f"{url}/oauth/token", json=fields) for _ in range(2)]

    assert await set_to(token_lifetime_s=7) == 200
    first, second = await refreshed_twice()
    assert first.json()["expires_in"] == 7
    assert second.status_code == 401
    assert await set_to(reuse_grace_s=60) == 200
    assert [each.status_code for each in await refreshed_twice()] == [200, 200]


@pytest.mark.parametrize("wanted", [{"no_such_thing": 1}, {"token_lifetime_s": "long"}])
async def test_authority_that_cannot_be_is_refused(backend, wanted):
    url = f"{backend.simulator.issuer}/simulator/authority"
    reply = await backend.client.post(url, json=wanted)
    assert reply.status_code == 400
    assert next(iter(wanted)) in reply.text
