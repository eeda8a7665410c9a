"""What the authority says about device codes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from codexia.oauth.client import AuthorityClient
from codexia.oauth.device import (
    DeviceCode,
    DeviceGrant,
    DeviceLoginFailed,
    DeviceLoginOff,
    Wait,
    failure_of_device_code,
    outcome_of_poll,
    parse_device_code,
)
from codexia.oauth.device_wait import wait_for_approval
from codexia.oauth.replies import AuthorityUnavailable
from codexia.simulator import Simulator

CODE = {"device_auth_id": "d", "user_code": "AB-CD"}


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (CODE, DeviceCode("d", "AB-CD", 5, 900)),
        ({"device_auth_id": "d", "usercode": "AB-CD"}, DeviceCode("d", "AB-CD", 5, 900)),
        (CODE | {"interval": "3"}, DeviceCode("d", "AB-CD", 3, 900)),
        (CODE | {"interval": 0}, DeviceCode("d", "AB-CD", 5, 900)),
        (CODE | {"interval": "soon"}, DeviceCode("d", "AB-CD", 5, 900)),
        (CODE | {"interval": "nan"}, DeviceCode("d", "AB-CD", 5, 900)),
        (CODE | {"expires_in": 60}, DeviceCode("d", "AB-CD", 5, 60)),
        (CODE | {"expires_in": 99_999}, DeviceCode("d", "AB-CD", 5, 900)),
    ],
)
def test_code_of_a_reply(reply: dict[str, Any], code: DeviceCode):
    assert parse_device_code(orjson.dumps(reply)) == code


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"user_code": "AB-CD"}'])
def test_reply_without_a_code(body: bytes):
    with pytest.raises(AuthorityUnavailable):
        parse_device_code(body)


def test_secrets_are_not_shown():
    grant = DeviceGrant("ac_secret", "verifier")
    assert "secret" not in repr(grant)
    assert "verifier" not in repr(grant).replace("code_verifier", "")
    assert "AB-CD" not in repr(DeviceCode("d", "AB-CD"))


def test_404_means_that_device_codes_are_off():
    assert isinstance(failure_of_device_code(404, b""), DeviceLoginOff)
    assert isinstance(failure_of_device_code(500, b""), AuthorityUnavailable)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (403, b"", Wait()),
        (404, b"<html>", Wait()),
        (403, b'{"error": {"code": "deviceauth_authorization_pending"}}', Wait()),
        (400, b'{"error": {"code": "slow_down"}}', Wait(5)),
        (403, b'{"error": "slow_down"}', Wait(5)),
        (429, b"", Wait(5)),
        (
            200,
            b'{"authorization_code": "c", "code_challenge": "x", "code_verifier": "v"}',
            DeviceGrant("c", "v"),
        ),
    ],
)
def test_outcome_of_a_poll(status: int, body: bytes, outcome: DeviceGrant | Wait):
    assert outcome_of_poll(status, body) == outcome


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"error": {"code": "expired_token"}}', DeviceLoginFailed),
        (403, b'{"error": {"code": "access_denied"}}', DeviceLoginFailed),
        (200, b"{}", DeviceLoginFailed),
        (500, b"", AuthorityUnavailable),
        (400, b"", AuthorityUnavailable),
    ],
)
def test_polls_that_fail(status: int, body: bytes, error: type[Exception]):
    with pytest.raises(error):
        outcome_of_poll(status, body)


async def test_slow_down_makes_the_next_polls_rarer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("codexia.oauth.device.SLOW_DOWN_S", 0.6)
    async with Simulator() as simulator:
        client = AuthorityClient(simulator.issuer, "codexia/test")
        simulator.add_oauth_fault({"kind": "slow_down"})
        code = await client.device_code()
        hasty = DeviceCode(code.device_auth_id, code.user_code, 0.1, 1.2)
        with pytest.raises(DeviceLoginFailed, match="expired"):
            await wait_for_approval(client, hasty, lambda _: None)
        assert simulator.stats.requests["POST /api/accounts/deviceauth/token"] <= 3
