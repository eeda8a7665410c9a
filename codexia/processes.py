"""Whether other processes of this host live."""

from __future__ import annotations

import os


def lives(pid: int) -> bool:
    """Return whether there is a process of that id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True
