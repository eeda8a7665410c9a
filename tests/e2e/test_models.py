"""Names of models, from the client's request to the backend and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import httpx
import openai
import pytest

from codexia.simulator.catalogue import models_for
from tests.e2e.processes import log_in, running_gateway, wait_until, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.processes import Gateway, Simulator

ALIASES = {"claude-sol": "gpt-6-sol-high", "fast": "gpt-6-luna"}
ASKED: Any = [{"role": "user", "content": "SAY[[hi]]"}]


@pytest.fixture(scope="module")
def gateway(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("gateway")
    log_in(home, simulator)
    write_config(home, model_aliases=ALIASES)
    with running_gateway(home, simulator, "--workers", "1") as gateway:
        wait_until(lambda: "gpt-6-sol" in gateway.status()["models"], "the catalogue is known")
        yield gateway


@pytest.fixture(scope="module")
def gpt(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{gateway.url}/v1", api_key="local", _strict_response_validation=True
    ) as client:
        yield client


@pytest.fixture(scope="module")
def claude(gateway: Gateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(
        base_url=gateway.url, api_key="local", _strict_response_validation=True
    ) as client:
        yield client


def sent(simulator: Simulator) -> tuple[str, str | None]:
    """Return the model and the effort that the backend was last asked for."""
    body = simulator.requests()[-1]["body"]
    return body["model"], (body.get("reasoning") or {}).get("effort")


def test_codex_cli_is_told_the_backends_own_entries(gateway: Gateway, gpt: openai.OpenAI):
    reply = httpx.get(f"{gateway.url}/v1/models?client_version=0.169.0", trust_env=False)
    told = {entry["slug"]: entry for entry in reply.json()["models"]}
    assert list(told) == [model.id for model in gpt.models.list()]
    backends = {entry["slug"]: entry for entry in models_for((0, 169, 0))}
    assert told["gpt-6-sol"] == backends["gpt-6-sol"]
    assert told["fast"] == {**backends["gpt-6-luna"], "slug": "fast"}


def test_codex_cli_is_told_nothing_while_the_catalogue_is_not_known(
    simulator: Simulator, tmp_path: Path
):
    with running_gateway(tmp_path, simulator, "--workers", "1") as gateway:
        reply = httpx.get(f"{gateway.url}/v1/models?client_version=0.169.0", trust_env=False)
        assert reply.status_code == 404
        assert httpx.get(f"{gateway.url}/v1/models", trust_env=False).status_code == 200


def test_aliases_are_listed_after_the_models(gpt: openai.OpenAI, claude: anthropic.Anthropic):
    ids = [model.id for model in gpt.models.list()]
    assert ids[0] == "gpt-6.1-sol"
    assert ids[-2:] == list(ALIASES)
    assert "codex-auto-review" not in ids
    assert [model.id for model in claude.models.list()] == ids


def test_discovery_of_claude_code_finds_the_alias(gateway: Gateway):
    headers = {"anthropic-version": "2023-06-01"}
    listed = httpx.get(f"{gateway.url}/v1/models?limit=1000", headers=headers).json()["data"]
    kept = [model for model in listed if model["id"].startswith(("claude", "anthropic"))]
    assert [(model["id"], model["display_name"]) for model in kept] == [
        ("claude-sol", "claude-sol")
    ]
    assert kept[0]["max_input_tokens"] == 272_000


def test_alias_means_its_model_and_effort(claude: anthropic.Anthropic, simulator: Simulator):
    answer = claude.messages.create(model="claude-sol", max_tokens=99, messages=ASKED)
    assert sent(simulator) == ("gpt-6-sol", "high")
    assert answer.model == "claude-sol"
    assert claude.models.retrieve("claude-sol").id == "claude-sol"


def test_chat_repeats_the_name_and_tells_the_model_served(gpt: openai.OpenAI, simulator: Simulator):
    raw = gpt.chat.completions.with_raw_response.create(model="gpt-5.5-low", messages=ASKED)
    assert sent(simulator) == ("gpt-5.5", "low")
    assert raw.parse().model == "gpt-5.5-low"
    assert raw.headers["openai-model"] == "gpt-5.5"


def test_responses_tell_the_model_served(gpt: openai.OpenAI, simulator: Simulator):
    answer = gpt.responses.create(model="fast-xhigh", input="SAY[[hi]]")
    assert sent(simulator) == ("gpt-6-luna", "xhigh")
    assert answer.model == "gpt-6-luna"


@pytest.mark.parametrize("model", ["gpt-5.2-codex", "gpt-5.1-codex-max", "gpt-0"])
def test_refused_model_is_told_with_those_on_offer(
    gpt: openai.OpenAI, claude: anthropic.Anthropic, model: str
):
    told = rf"'{model}' model is not supported .*; models on offer: gpt-6\.1-sol, .*gpt-5\.5"
    with pytest.raises(openai.BadRequestError, match=told) as of_chat:
        gpt.chat.completions.create(model=model, messages=ASKED)
    with pytest.raises(openai.BadRequestError, match=told) as of_responses:
        gpt.responses.create(model=model, input="hi")
    with pytest.raises(anthropic.BadRequestError, match=told):
        claude.messages.create(model=model, max_tokens=9, messages=ASKED)
    assert of_chat.value.code == of_responses.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        gpt.models.retrieve(model)


def test_model_that_is_not_listed_works(gpt: openai.OpenAI, simulator: Simulator):
    gpt.responses.create(model="codex-auto-review", input="SAY[[hi]]")
    assert sent(simulator) == ("codex-auto-review", None)
    assert simulator.stats["violations"] == []
