"""`POST /v1/responses/compact`, against the simulator and through the OpenAI SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest
from openai.types.responses import ResponseCompactionItem

from tests.e2e.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.processes import Gateway, Simulator

HISTORY: list[Any] = [
    {"role": "user", "content": "the first question"},
    {"role": "assistant", "content": "an answer"},
    {"role": "user", "content": "the second question"},
]


@pytest.fixture
def gpt(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="local") as client:
        yield client


def compact(gateway: Gateway, **body: Any) -> httpx.Response:
    return httpx.post(f"{gateway.url}/v1/responses/compact", json=body)


def asked(simulator: Simulator) -> int:
    return simulator.stats["requests"].get("POST /backend-api/codex/responses", 0)


def test_sdk_goes_on_from_a_compaction(gpt: openai.OpenAI, simulator: Simulator):
    compacted = gpt.responses.compact(model="gpt-5.5", input=HISTORY, instructions="be brief")
    *kept, item = compacted.output
    assert compacted.object == "response.compaction"
    assert [each.content[0].text for each in kept] == ["the first question", "the second question"]  # type: ignore[union-attr]
    assert isinstance(item, ResponseCompactionItem)
    assert compacted.usage.total_tokens == (
        compacted.usage.input_tokens + compacted.usage.output_tokens
    )
    sent = simulator.requests()[-1]["body"]
    assert sent["input"][-1] == {"type": "compaction_trigger"}
    assert sent["instructions"] == "be brief"
    output: Any = [each.model_dump(exclude_none=True, warnings=False) for each in compacted.output]
    more: Any = [*output, {"role": "user", "content": "SAY[[on we go]]"}]
    assert gpt.responses.create(model="gpt-5.5", input=more).output_text == "on we go"
    assert simulator.stats["violations"] == []


def test_answer_is_valid_by_the_sdks_own_schema(gateway: Gateway):
    """But for the user messages, which the schema has no type for and the API's own answer has."""
    with openai.OpenAI(
        base_url=f"{gateway.url}/v1", api_key="local", _strict_response_validation=True
    ) as strict:
        compacted = strict.responses.compact(model="gpt-5.5", input=HISTORY[1:2])
    assert [item.type for item in compacted.output] == ["compaction"]


def test_stored_response_is_compacted(gpt: openai.OpenAI, simulator: Simulator):
    first = gpt.responses.create(model="gpt-5.5", input="SAY[[one]]")
    compacted = gpt.responses.compact(model="gpt-5.5", previous_response_id=first.id)
    kinds = [item["type"] for item in simulator.requests()[-1]["body"]["input"]]
    assert kinds == ["message", "message", "compaction_trigger"]
    assert [item.type for item in compacted.output] == ["message", "compaction"]
    assert simulator.stats["violations"] == []


def test_left_out_compaction_is_asked_for_again(gateway: Gateway, simulator: Simulator):
    simulator.fault(kind="empty")
    reply = compact(gateway, model="gpt-5.5", input=HISTORY)
    assert reply.json()["output"][-1]["type"] == "compaction"
    assert asked(simulator) == 2


def test_conversation_is_shortened_where_the_backend_compacts_nothing(
    gateway: Gateway, simulator: Simulator
):
    simulator.fault(2, kind="empty")
    large = {"role": "assistant", "content": "x" * 90_000}
    reply = compact(gateway, model="gpt-5.5", input=[large, *HISTORY])
    assert reply.status_code == 200
    output = reply.json()["output"]
    assert "encrypted_content" not in reply.text
    assert [item["role"] for item in output] == ["developer", "user", "assistant", "user"]
    assert output[0]["content"][0]["text"].startswith("1 older items")
    assert asked(simulator) == 2
    more = [*output, {"role": "user", "content": "SAY[[on we go]]"}]
    answer = httpx.post(f"{gateway.url}/v1/responses", json={"model": "gpt-5.5", "input": more})
    assert answer.json()["output"][-1]["content"][0]["text"] == "on we go"
    assert simulator.stats["violations"] == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"input": "hi"}, 400, "missing_required_parameter"),
        ({"model": "gpt-5.5"}, 400, "missing_required_parameter"),
        ({"model": "gpt-5.5", "input": 7}, 400, "invalid_type"),
        ({"model": "gpt-5.5", "input": [7]}, 400, "invalid_type"),
        (
            {"model": "gpt-5.5", "previous_response_id": "resp_gone"},
            400,
            "previous_response_not_found",
        ),
    ],
)
def test_bad_request_is_refused(
    gateway: Gateway, simulator: Simulator, body: dict[str, Any], status: int, code: str
):
    reply = compact(gateway, **body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert asked(simulator) == 0


def test_backends_refusal_is_passed_on(gateway: Gateway, simulator: Simulator):
    simulator.fault(kind="429")
    reply = compact(gateway, model="gpt-5.5", input=HISTORY)
    assert reply.status_code == 429
    assert reply.headers["retry-after"]
    assert reply.json()["error"]["code"] == "usage_limit_reached"


def test_client_gone_is_told_to_the_backend(gateway: Gateway, simulator: Simulator):
    simulator.fault(kind="stall", after=2)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{gateway.url}/v1/responses/compact",
            json={"model": "gpt-5.5", "input": HISTORY},
            timeout=0.5,
        )
    wait_until(lambda: simulator.stats["disconnects"] == 1, "the backend notices")
    assert simulator.stats["open_streams"] == 0
