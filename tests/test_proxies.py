"""The way to the backend where the environment names proxies."""

from __future__ import annotations

import pytest

from codexia.proxies import proxy_for

BACKEND = "https://chatgpt.com/backend-api"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, BACKEND, None),
        ({"HTTPS_PROXY": "http://proxy:3128"}, BACKEND, "http://proxy:3128"),
        ({"https_proxy": "http://proxy:3128"}, BACKEND, "http://proxy:3128"),
        ({"ALL_PROXY": "http://proxy:3128"}, BACKEND, "http://proxy:3128"),
        ({"HTTP_PROXY": "http://proxy:3128"}, BACKEND, None),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "chatgpt.com"}, BACKEND, None),
        ({"HTTP_PROXY": "http://proxy:3128"}, "http://127.0.0.1:18999/backend-api", None),
        ({"HTTP_PROXY": "http://proxy:3128"}, "http://localhost:18999", None),
        ({"HTTP_PROXY": "http://proxy:3128"}, "http://[::1]:18999", None),
    ],
)
def test_environment_names_the_proxy(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str, proxy: str | None
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(url) == proxy
