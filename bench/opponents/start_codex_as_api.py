"""Run codex-as-api against a simulator: `python start_codex_as_api.py CODEX_URL PORT`, by its own Python.

The backend's address cannot be set from outside, and the version of Codex that it says it is
would be asked of the npm registry: both are defaults of one constructor.
"""

from __future__ import annotations

import importlib
import sys

CODEX_VERSION = "0.169.0"


def main() -> None:
    """Serve until the end of the process."""
    codex_url, port = sys.argv[1:]
    provider = importlib.import_module("codex_as_api.provider")
    defaults = provider.ChatGPTOAuthProvider.__init__.__kwdefaults__
    defaults |= {"base_url": codex_url, "version_resolver": lambda: CODEX_VERSION}
    server = importlib.import_module("codex_as_api.server")
    uvicorn = importlib.import_module("uvicorn")
    uvicorn.run(server.app, host="127.0.0.1", port=int(port), log_level="warning")


if __name__ == "__main__":
    main()
