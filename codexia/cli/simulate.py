"""`codexia simulate`: the built-in stand-in for the Codex backend, alone."""

from __future__ import annotations

from codexia.cli.options import SimulatorBind


def simulate(*, bind: SimulatorBind = "127.0.0.1:14560") -> None:
    """Run only the simulator of the Codex backend and its login.

    It is as strict as the real backend and tells what it saw at /simulator/stats. It has no
    model: it answers by simple rules, such as SAY[[text]] and RUN[[command]] in the prompt.
    Point a gateway at it by CODEXIA_UPSTREAM_BASE_URL (its address and /backend-api) and
    CODEXIA_OAUTH_ISSUER (its address).
    """
    from codexia.config import parse_bind
    from codexia.errors import CodexiaError
    from codexia.simulator.server import run

    try:
        run(*parse_bind(bind))
    except OSError as error:
        raise CodexiaError(
            f"cannot listen on {bind}: {error.strerror}; pass another --bind HOST:PORT"
        ) from error
