"""The `codexia` command: parse, call, print.

A command's module holds its options and its output; what it does lives elsewhere and is
imported inside the command, so that `codexia --help` stays quick.
"""

from __future__ import annotations

import sys

from codexia.cli.app import app
from codexia.errors import CodexiaError


def main() -> None:
    """Run the command line; every foreseen failure is one line on standard error and exit 1."""
    try:
        app(prog_name="codexia")
    except CodexiaError as error:
        _fail(error.message)
    except OSError as error:
        reason = error.strerror or str(error)
        _fail(f"{error.filename}: {reason}" if error.filename else reason)


def _fail(message: str) -> None:
    sys.stderr.write(f"error: {message}\n")
    sys.exit(1)
