"""What everything about the daemon raises."""

from __future__ import annotations

from codexia.errors import CodexiaError


class DaemonError(CodexiaError):
    """The daemon cannot be installed, started or asked; the message says what to do."""
