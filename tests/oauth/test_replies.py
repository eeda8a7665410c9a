from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

import orjson
import pytest

from codexia.oauth.replies import (
    AuthorityBusy,
    AuthorityUnavailable,
    Claims,
    LoginExpired,
    claims_of,
    failure_of_reply,
    parse_token_reply,
)


def jwt(payload: Any) -> str:
    encoded = urlsafe_b64encode(orjson.dumps(payload)).rstrip(b"=").decode()
    return f"e30.{encoded}.sig"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"error": {"code": "refresh_token_reused", "message": "m"}}, LoginExpired),
        (400, {"error": {"code": "refresh_token_expired"}}, LoginExpired),
        (400, {"error": "invalid_grant"}, LoginExpired),
        (400, {"code": "refresh_token_invalidated"}, LoginExpired),
        (401, {}, LoginExpired),
        (400, {"error": "invalid_request"}, AuthorityUnavailable),
        (403, "<html>", AuthorityUnavailable),
        (429, {}, AuthorityBusy),
        (503, "", AuthorityBusy),
    ],
)
def test_what_is_final_and_what_may_pass(status: int, body: Any, kind: type) -> None:
    content = body.encode() if isinstance(body, str) else orjson.dumps(body)
    assert type(failure_of_reply(status, content)) is kind


def test_failure_never_quotes_the_body() -> None:
    body = orjson.dumps({"error": {"code": "invalid_grant", "message": "rt_canary is bad"}})
    assert "rt_canary" not in failure_of_reply(400, body).message


def test_token_reply_may_leave_tokens_out() -> None:
    reply = parse_token_reply(b'{"access_token":"a","expires_in":60}')
    assert (reply.access_token, reply.refresh_token, reply.expires_in_s) == ("a", None, 60)
    assert "'a'" not in repr(reply)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b""])
def test_page_instead_of_tokens(body: bytes) -> None:
    with pytest.raises(AuthorityUnavailable):
        parse_token_reply(body)


def test_claims_of_an_access_token() -> None:
    token = jwt(
        {
            "exp": 1800000000,
            "https://api.openai.com/auth": {
                "chatgpt_account_id": "acc",
                "chatgpt_plan_type": "pro",
            },
            "https://api.openai.com/profile": {"email": "a@example.com"},
        }
    )
    assert claims_of(token) == Claims("acc", "a@example.com", "pro", 1800000000)


@pytest.mark.parametrize(
    "token", ["", "opaque", "a.b.c", "a.!!!.c", jwt([1]), jwt({"exp": "soon"}), "é.é.é"]
)
def test_token_without_claims(token: str) -> None:
    assert claims_of(token) == Claims()
