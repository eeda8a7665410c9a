"""Run ChatMock against a simulator: `python start_chatmock.py SIMULATOR_URL PORT`, by its own Python.

Its addresses cannot be set from outside, so the constants are changed where they were imported.
"""

from __future__ import annotations

import importlib
import sys


def main() -> None:
    """Serve until the end of the process."""
    simulator_url, port = sys.argv[1:]
    base_url = f"{simulator_url}/backend-api/codex"
    addresses = {
        "CHATGPT_CODEX_BASE_URL": base_url,
        "CHATGPT_RESPONSES_URL": f"{base_url}/responses",
        "OAUTH_TOKEN_URL": f"{simulator_url}/oauth/token",
    }
    cli = importlib.import_module("chatmock.cli")
    for module in [each for name, each in sys.modules.items() if name.startswith("chatmock")]:
        for name in addresses.keys() & vars(module).keys():
            setattr(module, name, addresses[name])
    sys.argv = ["chatmock", "serve", "--host", "127.0.0.1", "--port", port]
    cli.main()


if __name__ == "__main__":
    main()
