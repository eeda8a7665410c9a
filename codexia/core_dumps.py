"""No core dumps: the memory of our processes holds tokens, and a dump may outlive them."""

from __future__ import annotations

import resource


def forbid_core_dumps() -> None:
    """Let no crash of this process, or of one that it starts, leave its memory on disk.

    NOTE: not by PR_SET_DUMPABLE, which would also hide from the user what is his own in /proc:
    `codexia doctor` could not say any more who holds the port.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
