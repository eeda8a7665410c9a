"""One generation of workers: `python -m codexia_workers`, with its `GenerationSpec` on stdin."""

from __future__ import annotations

import logging
import os
import socket
import sys

from codexia.control import PROTOCOL, GenerationSpec
from codexia_workers.lifeline import Lifeline
from codexia_workers.server import GenerationServer


def main() -> None:
    """Serve until told to stop."""
    os.umask(0o077)
    spec = GenerationSpec.model_validate_json(sys.stdin.buffer.readline())
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("codexia").setLevel(spec.snapshot.log_level.upper())
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
    GenerationServer(spec, listener, lifeline.leave).run()


if __name__ == "__main__":
    main()
