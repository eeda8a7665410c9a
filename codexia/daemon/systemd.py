"""The systemd user unit as text.

Only directives that a user manager can carry out without privileges: no private `/tmp`, where the
sockets of a deep home are, and nothing that needs a mount namespace.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from codexia.daemon.error import DaemonError

if TYPE_CHECKING:
    from codexia.daemon.program import Program

UNIT: Final = "codexia.service"

TEMPLATE: Final = """\
# Written by `codexia daemon install`, and again by every reinstall.
# Your own changes: systemctl --user edit {unit}

[Unit]
Description=Codexia, a gateway from one Codex login to OpenAI- and Anthropic-compatible APIs
# Wrong settings or a taken port may be put right at any time, so it never gives up.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
ExecReload=kill -HUP $MAINPID
{environment}
SyslogIdentifier=codexia

# The supervisor carries no traffic. Its workers serve on while it restarts, and the next one
# takes them on; told to stop, it stops them itself.
KillMode=process
TimeoutStartSec=120
TimeoutStopSec=45
WatchdogSec=60
OOMPolicy=continue

# At once after a crash, 10 s after it ended by itself with an error.
Restart=always
RestartSec=1
ExecStopPost=sh -c 'test "$$EXIT_CODE" != exited || test "$$EXIT_STATUS" = 0 || sleep 10'

UMask=0077
LimitNOFILE=65536
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native

[Install]
WantedBy=default.target
"""

_REFUSED: Final = frozenset("\"'\\")
_ENVIRONMENT = re.compile(r'^Environment="((?:[^"\\]|\\.)*)"$', re.MULTILINE)


def render_unit(program: Program) -> str:
    """Return the unit file.

    Raises:
        DaemonError: systemd would not take the executable.
    """
    if set(program.argv[0]) & _REFUSED:
        raise DaemonError(
            f"systemd takes no executable with a quote or backslash in its path: {program.argv[0]}; "
            "install Codexia elsewhere"
        )
    # By `:` systemd leaves `$` alone, which `$$` does not achieve in the path of the executable.
    literal = ":" if any("$" in argument for argument in program.argv) else ""
    return TEMPLATE.format(
        unit=UNIT,
        command=literal + " ".join(map(quoted, program.argv)),
        environment="\n".join(
            f"Environment={quoted(f'{name}={value}')}"
            for name, value in sorted(program.environment.items())
        ),
    )


def quoted(text: str) -> str:
    """Return a word as systemd reads it back, whatever is in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def environment_in(unit: str) -> dict[str, str]:
    """Return the environment that a rendered unit gives."""
    assignments = (
        re.sub(r"\\(.)", r"\1", found).replace("%%", "%") for found in _ENVIRONMENT.findall(unit)
    )
    return dict(assignment.split("=", 1) for assignment in assignments)
