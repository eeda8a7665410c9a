"""One generation of workers: `python -m codexia_workers`, with its `GenerationSpec` on stdin."""

from __future__ import annotations

import os
import socket
import sys

from codexia.control import PROTOCOL, GenerationSpec
from codexia.log_format import set_up_logging
from codexia_workers.lifeline import Lifeline
from codexia_workers.server import GenerationServer


def main() -> None:
    """Serve until told to stop."""
    os.umask(0o077)
    spec = GenerationSpec.model_validate_json(sys.stdin.buffer.readline())
    set_up_logging(spec.snapshot.log_level, spec.snapshot.log_format)
    if spec.snapshot.protocol != PROTOCOL:
        sys.stderr.write(
            f"error: codexia was replaced on disk while it ran: its supervisor speaks protocol "
            f"{spec.snapshot.protocol}, these workers {PROTOCOL}; start the new supervisor with "
            "`codexia daemon restart` or `codexia serve --replace`\n"
        )
        sys.exit(os.EX_CONFIG)
    listener = socket.socket(fileno=spec.listener_fd)
    lifeline = Lifeline(spec, listener)
    lifeline.start()
    try:
        GenerationServer(spec, listener, lifeline.leave).run()
    finally:
        lifeline.close()


if __name__ == "__main__":
    main()
