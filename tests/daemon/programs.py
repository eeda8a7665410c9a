"""Stand-ins for the system's own programs: real processes that note their arguments and answer as told."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """#!{python}
import os, sys
with open({calls!r}, "a") as calls:
    print({name!r}, *sys.argv[1:], file=calls)
{body}
"""


@dataclass
class Programs:
    """A directory of programs, to be the first of PATH."""

    directory: Path

    def add(self, name: str, body: str = "") -> None:
        """Add a program whose body is Python, with `sys` and `os` at hand."""
        path = self.directory / name
        path.write_text(
            PROGRAM.format(python=sys.executable, calls=str(self._calls), name=name, body=body)
        )
        path.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        """Every call so far, as one line each."""
        return self._calls.read_text().splitlines() if self._calls.exists() else []

    def forget(self) -> None:
        """Begin to note calls anew."""
        self._calls.unlink(missing_ok=True)

    @property
    def _calls(self) -> Path:
        return self.directory / "calls.log"


SYSTEMCTL = """
unit = os.path.join(os.environ["HOME"], ".config/systemd/user/codexia.service")
if "--property=Version" in sys.argv:
    print("Version=252")
elif "show" in sys.argv:
    print("ActiveState=inactive", "MainPID=0", "MemoryCurrent=[not set]", "ExecMainPID=0",
          "ExecMainCode=0", "ExecMainStatus=0", "UnitFileState=", sep="\\n")
"""

LAUNCHCTL = """
import plistlib, signal, subprocess, time
state = {state!r}
command = sys.argv[1]
def pid():
    try:
        return int(open(state).read())
    except OSError:
        return 0
def spawn():
    agent = plistlib.load(open({plist!r}, "rb"))
    log = open(agent["StandardErrorPath"], "a")
    child = subprocess.Popen(agent["ProgramArguments"], stdout=log, stderr=log,
        stdin=subprocess.DEVNULL, start_new_session=True,
        env={{**os.environ, **agent["EnvironmentVariables"]}})
    open(state, "w").write(str(child.pid))
def end():
    os.kill(pid(), signal.SIGTERM)
    while os.path.exists(f"/proc/{{pid()}}") and " Z " not in open(f"/proc/{{pid()}}/stat").read():
        time.sleep(0.05)
if command == "print" and sys.argv[2].count("/") == 1:
    sys.exit(113 if sys.argv[2].startswith({absent!r}) else 0)
elif command == "print":
    if not pid():
        sys.exit("Could not find service")
    print("{{\\n\\tstate = running\\n\\n\\truns = 1\\n\\tpid = %d\\n\\tendpoints = {{\\n\\t\\tpid = 1\\n\\t}}\\n}}" % pid())
elif command == "bootstrap":
    spawn()
elif command == "bootout":
    end()
    os.unlink(state)
elif command == "kickstart":
    end()
    spawn()
"""


def launchctl(state: Path, plist: Path, absent: str = "none/") -> str:
    """Return the body of a launchctl that runs one agent.

    Args:
        state: where it keeps the pid while the agent is loaded.
        plist: the agent.
        absent: beginning of the domains that are not there.
    """
    return LAUNCHCTL.format(state=str(state), plist=str(plist), absent=absent)
