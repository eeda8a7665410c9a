"""The LaunchAgent as a property list."""

from __future__ import annotations

import plistlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from codexia.daemon.program import Program

LABEL: Final = "com.codexia.daemon"


def render_agent(program: Program) -> bytes:
    """Return the property list."""
    agent: dict[str, Any] = {
        "Label": LABEL,
        "ProgramArguments": list(program.argv),
        "EnvironmentVariables": dict(sorted(program.environment.items())),
        "RunAtLoad": True,
        "KeepAlive": True,
        # Counted from its start: one that ran for longer is started again at once, one whose
        # settings are wrong every 10 s.
        "ThrottleInterval": 10,
        # The workers serve on while the supervisor restarts, and the next one takes them on.
        "AbandonProcessGroup": True,
        "ExitTimeOut": 45,
        "ProcessType": "Interactive",
        "SoftResourceLimits": {"NumberOfFiles": 65536},
        "Umask": 0o077,
        "StandardOutPath": str(program.log_file),
        "StandardErrorPath": str(program.log_file),
    }
    return plistlib.dumps(agent, sort_keys=False)


def environment_in(agent: bytes) -> dict[str, str]:
    """Return the environment that a rendered property list gives."""
    return dict(plistlib.loads(agent).get("EnvironmentVariables", {}))
