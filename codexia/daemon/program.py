"""What the service manager starts: a command and its environment, with no secret in either."""

from __future__ import annotations

import sys
import sysconfig
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codexia.config import ENVIRONMENT
from codexia.daemon.error import DaemonError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from codexia.paths import Home

HOME_VARIABLE: Final = "CODEXIA_HOME"
SECRET_VARIABLES: Final = frozenset({ENVIRONMENT["api_key"]})
PATH_VARIABLES: Final = frozenset({ENVIRONMENT["auth_file"], "SSL_CERT_FILE", "SSL_CERT_DIR"})
PROXY_VARIABLES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
CARRIED: Final = (
    *(name for name in ENVIRONMENT.values() if name not in SECRET_VARIABLES),
    *PROXY_VARIABLES,
    *(name.lower() for name in PROXY_VARIABLES),
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
"""Variables that mean the same to the daemon as to the shell that installs it."""


@dataclass(frozen=True, slots=True)
class Program:
    """A command and its environment.

    Attributes:
        argv: the executable's absolute path, then its arguments.
        log_file: where its output goes on systems without a journal.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    log_file: Path

    def __post_init__(self) -> None:
        """Refuse what no service file can hold.

        Raises:
            DaemonError: an argument or a value has control characters or is not text.
        """
        for text in (*self.argv, *self.environment.values(), str(self.log_file)):
            if any(unicodedata.category(character) in {"Cc", "Cs", "Cn"} for character in text):
                raise DaemonError(
                    f"{text!r} has characters that a service file cannot hold; choose another path"
                )


def serve_command(executable: Path | None = None) -> tuple[str, ...]:
    """Return the command that serves.

    Args:
        executable: a `codexia` to use; by default the one of this installation.

    Raises:
        DaemonError: it is not an executable file.
    """
    own = Path(sysconfig.get_path("scripts"), "codexia")
    if executable is None and not own.is_file():
        return (sys.executable, "-P", "-m", "codexia", "serve")
    # Not resolved: an installer may exchange what a link leads to.
    path = (executable or own).expanduser().absolute()
    if not path.is_file() or not path.stat().st_mode & 0o111:
        raise DaemonError(f"{path} is not an executable file")
    return (str(path), "serve")


def carried_environment(
    environ: Mapping[str, str], home: Home, given: Collection[str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the variables that the daemon is to have, and the names of those that are secrets.

    Args:
        environ: of this process.
        home: the daemon's home.
        given: settings that the command line gave; they win over their variables.
    """
    overridden = {ENVIRONMENT[key] for key in given if key in ENVIRONMENT}
    carried = {HOME_VARIABLE: str(home.root.absolute())}
    secret: list[str] = []
    for name in CARRIED:
        value = environ.get(name)
        if not value or name in overridden:
            continue
        if "@" in value and name not in PATH_VARIABLES:
            secret.append(name)  # an address with a user and a password
        elif name in PATH_VARIABLES:
            carried[name] = str(Path(value).expanduser().absolute())
        else:
            carried[name] = value
    return carried, tuple(secret)
