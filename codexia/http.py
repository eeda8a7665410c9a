"""httpx without its command line.

`import httpx` also imports a command line of its own with click, rich and pygments: measured
with 0.28, that is 6 of its 8 MB and 0.2 of its 0.3 s. httpx provides for an interpreter that
cannot import it, and None in `sys.modules` is how that is said.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("httpx._main", None)  # pyright: ignore[reportArgumentType] - typeshed omits None

import httpx  # noqa: E402 - the line above has to come first

__all__ = ["httpx"]
