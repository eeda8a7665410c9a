"""Batches and files of one local key are not there for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anthropic
import openai
import pytest

from tests.e2e.batches import ended, jsonl, messages_request, openai_line, over, upload
from tests.e2e.processes import log_in, running_gateway, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from tests.e2e.processes import Gateway, Simulator

CHAT = "/v1/chat/completions"
KEYS = ("alice-key", "bob-key")


@pytest.fixture(scope="module")
def gateway(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("gateway")
    write_config(home, api_keys=[{"name": key.split("-")[0], "key": key} for key in KEYS])
    log_in(home, simulator)
    with running_gateway(home, simulator, "--workers", "2") as gateway:
        yield gateway


@pytest.fixture
def anthropics(gateway: Gateway) -> Iterator[list[anthropic.Anthropic]]:
    clients = [
        anthropic.Anthropic(base_url=gateway.url, api_key=key, max_retries=0) for key in KEYS
    ]
    yield clients
    for client in clients:
        client.close()


@pytest.fixture
def openais(gateway: Gateway) -> Iterator[list[openai.OpenAI]]:
    clients = [
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0) for key in KEYS
    ]
    yield clients
    for client in clients:
        client.close()


def test_message_batches_are_their_owners(anthropics: list[Any]):
    alice, bob = anthropics
    batch = alice.messages.batches.create(requests=[messages_request("a", "SAY[[secret]]")])
    ended(alice, batch.id)
    for call in ("retrieve", "cancel", "delete", "results"):
        with pytest.raises(anthropic.NotFoundError):
            getattr(bob.messages.batches, call)(batch.id)
    assert list(bob.messages.batches.list()) == []
    assert [each.id for each in alice.messages.batches.list()] == [batch.id]
    with pytest.raises(anthropic.NotFoundError):
        bob.messages.batches.list(after_id=batch.id)


def test_openai_batches_and_files_are_their_owners(openais: list[Any]):
    alice, bob = openais
    file_id = upload(alice, jsonl([openai_line("a", CHAT, "SAY[[secret]]")]))
    with pytest.raises(openai.APIStatusError) as refused:
        bob.batches.create(input_file_id=file_id, endpoint=CHAT, completion_window="24h")
    assert refused.value.status_code in {400, 404}
    batch = alice.batches.create(input_file_id=file_id, endpoint=CHAT, completion_window="24h")
    done = over(alice, batch.id)
    for each in (file_id, done.output_file_id):
        for call in ("retrieve", "content", "delete"):
            with pytest.raises(openai.NotFoundError):
                getattr(bob.files, call)(each)
    for call in ("retrieve", "cancel"):
        with pytest.raises(openai.NotFoundError):
            getattr(bob.batches, call)(batch.id)
    assert list(bob.files.list()) == list(bob.batches.list()) == []


def test_no_key_no_batch(gateway: Gateway):
    with (
        anthropic.Anthropic(base_url=gateway.url, api_key="wrong", max_retries=0) as client,
        pytest.raises(anthropic.AuthenticationError),
    ):
        client.messages.batches.create(requests=[messages_request("a", "x")])
