"""A client that wants the gateway to go somewhere: to an address in a request, or to another backend."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.processes import Gateway, Simulator

CANARY = "attack-canary-5b1e"


@pytest.fixture
def bait() -> Iterator[socket.socket]:
    """A port that nobody should come to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def is_visited(listener: socket.socket) -> bool:
    try:
        visitor, _ = listener.accept()
    except BlockingIOError:
        return False
    visitor.close()
    return True


def bodies(url: str) -> dict[str, list[dict[str, Any]]]:
    image = f"{url}/image.png"
    said = {"role": "user", "content": "SAY[[hi]]"}

    def with_part(*parts: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"role": "user", "content": [*parts]}, said]

    base = {"model": "gpt-5.5", "max_tokens": 9}
    elsewhere = {
        **base,
        "base_url": url,
        "api_base": url,
        "upstream_base_url": url,
        "extra_headers": {"authorization": CANARY},
        "metadata": {"base_url": url},
        "webhook_url": url,
    }
    return {
        "/v1/chat/completions": [
            {**base, "messages": with_part({"type": "image_url", "image_url": {"url": image}})},
            {**elsewhere, "messages": [said]},
        ],
        "/v1/responses": [
            {
                **base,
                "input": with_part(
                    {"type": "input_image", "image_url": image},
                    {"type": "input_file", "file_url": image},
                ),
            },
            {**elsewhere, "input": [said]},
        ],
        "/v1/messages": [
            {
                **base,
                "messages": with_part(
                    {"type": "image", "source": {"type": "url", "url": image}},
                    {"type": "document", "source": {"type": "url", "url": image}},
                ),
            },
            {**elsewhere, "messages": [said]},
        ],
        "/v1/messages/count_tokens": [
            {
                **base,
                "messages": with_part({"type": "image", "source": {"type": "url", "url": image}}),
            }
        ],
    }


HEADERS = {
    "authorization": f"Bearer {CANARY}",
    "x-api-key": CANARY,
    "cookie": CANARY,
    "proxy-authorization": CANARY,
    "x-forwarded-host": CANARY,
    "x-forwarded-for": CANARY,
    "chatgpt-account-id": CANARY,
    "x-base-url": CANARY,
}


def test_no_address_of_a_request_is_visited_and_no_secret_of_the_client_forwarded(
    gateway: Gateway, simulator: Simulator, bait: socket.socket
):
    asked = 0
    for path, requests in bodies(f"http://127.0.0.1:{bait.getsockname()[1]}").items():
        for body in requests:
            reply = httpx.post(gateway.url + path, json=body, headers=HEADERS, timeout=20)
            assert reply.status_code in {200, 400}, reply.text
            asked += 1
    assert asked == 7
    assert not is_visited(bait)
    sent = simulator.requests()
    assert len(sent) >= 3
    for request in sent:
        assert CANARY not in str(request["headers"])
        assert CANARY not in str(request["body"])
