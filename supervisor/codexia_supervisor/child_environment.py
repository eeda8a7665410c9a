"""What the processes that the supervisor starts are told of its environment: all but the local key."""

from __future__ import annotations

import os
from typing import Final

from codexia.config import ENVIRONMENT

API_KEY_VARIABLE: Final = ENVIRONMENT["api_key"]


def child_environment() -> dict[str, str]:
    """Return the environment of a child."""
    return {name: value for name, value in os.environ.items() if name != API_KEY_VARIABLE}
