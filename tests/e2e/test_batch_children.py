"""What the process that checks a large batch can be asked by others on this host: nothing secret."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import orjson
import pytest

from tests.e2e.batches import messages_request
from tests.e2e.processes import children, wait_until

if TYPE_CHECKING:
    from tests.e2e.processes import Gateway

KEY = "local-key-canary-3ed90b"
PROMPT = "prompt-canary-5a71cc"
REQUESTS = 10_000
"""Enough that the check takes a while."""


@pytest.fixture(scope="module")
def gateway_environment() -> dict[str, str]:
    return {"CODEXIA_API_KEY": KEY}


def seen_of(pid: int) -> str:
    """Return arguments and environment of a process, "" once it is gone."""
    try:
        found = [Path(f"/proc/{pid}/{what}").read_bytes() for what in ("cmdline", "environ")]
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return b" ".join(found).replace(b"\0", b" ").decode(errors="replace")


def test_process_that_checks_a_batch_is_told_no_secret(gateway: Gateway):
    requests = [messages_request(f"id-{n}", f"{PROMPT} {n}") for n in range(REQUESTS)]
    content = orjson.dumps({"requests": requests})
    login = orjson.loads((gateway.home / "auth.json").read_bytes())
    headers = {"x-api-key": KEY, "content-type": "application/json"}

    def submit() -> None:
        url = f"{gateway.url}/v1/messages/batches"
        batch = httpx.post(url, content=content, headers=headers, trust_env=False, timeout=60)
        httpx.post(f"{url}/{batch.json()['id']}/cancel", headers=headers, trust_env=False)

    def seen() -> str:
        texts = [seen_of(pid) for pid in children(gateway.popen.pid)]
        return next((text for text in texts if ".intake" in text and "PATH=" in text), "")

    submitting = threading.Thread(target=submit)
    submitting.start()
    text = wait_until(seen, "a process checks the batch")
    submitting.join()
    secrets = {"key": KEY, "prompt": PROMPT, **login}
    assert [name for name, secret in secrets.items() if str(secret) in text] == []
