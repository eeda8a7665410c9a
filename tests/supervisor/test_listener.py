from __future__ import annotations

import socket

import pytest

from codexia_supervisor.listener import BindFailed, listen


@pytest.mark.parametrize(
    ("host", "family", "shown"),
    [
        ("127.0.0.1", socket.AF_INET, "127.0.0.1"),
        ("localhost", socket.AF_INET, "localhost"),
        ("::1", socket.AF_INET6, "[::1]"),
    ],
)
def test_addresses_and_names(host: str, family: socket.AddressFamily, shown: str) -> None:
    listener = listen(host, 0)
    with listener.socket:
        assert listener.socket.family == family
        assert listener.address == f"{shown}:{listener.bound_port}"
        with socket.create_connection((host, listener.bound_port), 5):
            pass


def test_what_is_accepted_sends_small_events_at_once() -> None:
    listener = listen("127.0.0.1", 0)
    with listener.socket, socket.create_connection(("127.0.0.1", listener.bound_port), 5):
        accepted, _ = listener.socket.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_taken_port() -> None:
    with (
        listen("127.0.0.1", 0).socket as first,
        pytest.raises(BindFailed, match="it is in use") as caught,
    ):
        listen("127.0.0.1", first.getsockname()[1])
    assert caught.value.taken


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host"])
def test_address_that_is_not_ours(host: str) -> None:
    with pytest.raises(BindFailed, match="cannot listen on") as caught:
        listen(host, 0)
    assert not caught.value.taken
