"""Every error reply and error event of the backend, as what the caller gets."""

from __future__ import annotations

from importlib.resources import files

import pytest

from codexia.codex.failures import TokenRejected, failure_of_event, failure_of_reply
from codexia.errors import (
    BadRequest,
    CodexiaError,
    ContextOverflow,
    Forbidden,
    ModelRefused,
    NotFound,
    Overloaded,
    RateLimited,
    RequestTooLarge,
    UpstreamError,
    anthropic_envelope,
    error_headers,
    openai_envelope,
)
from codexia.sse import FrameSplitter

TRANSCRIPTS = files("codexia.simulator") / "transcripts"


def reply(name: str) -> CodexiaError:
    head, _, body = (TRANSCRIPTS / name).read_bytes().replace(b"\r\n", b"\n").partition(b"\n\n")
    status_line, *lines = head.decode().split("\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return failure_of_reply(int(status_line.split()[1]), headers, body)


def event(name: str) -> CodexiaError:
    for frame in FrameSplitter().feed((TRANSCRIPTS / name).read_bytes() + b"\n\n"):
        if frame.event in {"response.failed", "error"}:
            return failure_of_event(frame.json())
    raise AssertionError(name)


@pytest.mark.parametrize(
    ("name", "kind", "openai_status", "anthropic_status", "code"),
    [
        ("10_usage_limit_429.http", RateLimited, 429, 429, "usage_limit_reached"),
        ("11_unsupported_parameter_400.http", BadRequest, 400, 400, None),
        ("11b_store_400.http", BadRequest, 400, 400, None),
        ("11c_model_not_supported_400.http", ModelRefused, 400, 400, "model_not_found"),
        ("11d_unsupported_value_400.http", BadRequest, 400, 400, "unsupported_value"),
        ("12_token_expired_401.http", TokenRejected, 401, 401, "login_required"),
        ("12b_unauthorized_401.http", TokenRejected, 401, 401, "login_required"),
        ("13_cloudflare_403.http", Forbidden, 403, 403, "cloudflare_blocked"),
        ("14_overloaded_503.http", Overloaded, 503, 529, "server_is_overloaded"),
    ],
)
def test_reply(name: str, kind: type, openai_status: int, anthropic_status: int, code: str | None):
    error = reply(name)
    assert type(error) is kind
    assert error.status_for("openai") == openai_status
    assert error.status_for("anthropic") == anthropic_status
    assert error.code == code


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("08_failed_midstream.sse", UpstreamError, "server_error"),
        ("08b_failed_overloaded_prelude.sse", Overloaded, "server_is_overloaded"),
        ("08c_error_event_overloaded.sse", Overloaded, "server_is_overloaded"),
        ("08d_failed_rate_limit.sse", RateLimited, "rate_limit_exceeded"),
        ("08e_failed_context_length.sse", ContextOverflow, "context_length_exceeded"),
        ("08f_failed_cyber_policy.sse", BadRequest, "cyber_policy"),
    ],
)
def test_event(name: str, kind: type, code: str):
    error = event(name)
    assert type(error) is kind
    assert error.code == code


def test_plan_limit_tells_when_and_forbids_hammering():
    headers = dict(error_headers(reply("10_usage_limit_429.http")))
    assert headers == {"retry-after": "13873", "x-should-retry": "false"}


def test_plan_limit_in_a_stream_takes_the_time_from_the_reply_headers():
    headers = {
        "x-codex-primary-used-percent": "100",
        "x-codex-primary-reset-after-seconds": "600",
        "x-codex-secondary-used-percent": "80",
        "x-codex-secondary-reset-after-seconds": "90000",
    }
    payload = {"response": {"error": {"code": "usage_limit_reached", "message": "used up"}}}
    assert failure_of_event(payload, headers).retry_after_s == 600


def test_burst_limit_tells_when():
    assert dict(error_headers(event("08d_failed_rate_limit.sse"))) == {"retry-after": "2"}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"detail":"Not Found"}', NotFound, 404),
        (b'{"error":{"code":"model_not_found","message":"no such model"}}', NotFound, 404),
        (b'{"error":{"type":"usage_limit_reached","message":"used up"}}', RateLimited, 429),
        (b"<html>no</html>", UpstreamError, 502),
    ],
)
def test_404_is_by_what_it_says(body: bytes, kind: type, status: int):
    error = failure_of_reply(404, {}, body)
    assert type(error) is kind
    assert error.status_for("anthropic") == error.status_for("openai") == status


def test_page_instead_of_json_by_status():
    page = b"<html>no</html>"
    assert isinstance(failure_of_reply(413, {}, page), RequestTooLarge)
    assert isinstance(failure_of_reply(502, {}, page), UpstreamError)
    limited = failure_of_reply(429, {"retry-after": "7"}, page)
    assert limited.retry_after_s == 7


@pytest.mark.parametrize(
    "body", [b'{"detail":[{"msg":"x"}]}', b'{"detail":{"code":5}}', b"{}", b'"x"']
)
def test_odd_bodies_are_still_an_error_with_a_text(body: bytes):
    error = failure_of_reply(400, {}, body)
    assert error.message


def test_overflow_text_is_the_one_that_claude_code_matches():
    error = event("08e_failed_context_length.sse")
    assert isinstance(error, ContextOverflow)
    error.input_tokens, error.maximum = 300_000, 272_000
    envelope = anthropic_envelope(error, "req_1")
    assert envelope["error"]["message"] == "prompt is too long: 300000 tokens > 272000 maximum"
    assert envelope["error"]["type"] == "invalid_request_error"
    assert openai_envelope(error)["error"]["code"] == "context_length_exceeded"


def test_overflow_estimate_is_never_below_the_maximum():
    error = ContextOverflow("too long")
    error.input_tokens, error.maximum = 10, 272_000
    assert error.message_for("anthropic") == "prompt is too long: 272001 tokens > 272000 maximum"


def test_refused_model_is_told_with_what_there_is_instead():
    error = reply("11c_model_not_supported_400.http")
    assert isinstance(error, ModelRefused)
    assert openai_envelope(error)["error"]["message"].endswith("with a ChatGPT account.")
    error.offered = ("gpt-5.5", "gpt-6-sol")
    said = openai_envelope(error)["error"]
    assert said["message"] == (
        "The 'gpt-5.4' model is not supported when using Codex with a ChatGPT account; "
        "models on offer: gpt-5.5, gpt-6-sol"
    )
    assert said["param"] == "model"
    assert anthropic_envelope(error, "req_1")["error"]["message"] == said["message"]


def test_value_that_a_model_does_not_take_is_no_refused_model():
    assert type(reply("11d_unsupported_value_400.http")) is BadRequest
