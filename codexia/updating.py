"""Putting another version of Codexia in place of the installed one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from codexia.errors import CodexiaError
from codexia.installation import DISTRIBUTION

if TYPE_CHECKING:
    from codexia.installation import Installation

PROBE_TIMEOUT_S: Final = 120.0
START_TIMEOUT_S: Final = 60.0

_UV_WOULD_INSTALL = re.compile(rf"^ \+ {DISTRIBUTION}==(\S+)", re.MULTILINE)


class UpdateFailed(CodexiaError):
    """Another version could not be installed, or does not start."""


def newest_version(installation: Installation) -> str:
    """Return the newest version on offer, which may be the installed one.

    Raises:
        UpdateFailed: the package index does not say; has the installer's words.
    """
    done = subprocess.run(  # noqa: S603 - the installer's own program
        installation.probe,
        env={**os.environ, **installation.environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PROBE_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise UpdateFailed(f"cannot tell what is on offer: {words[-1] if words else 'no answer'}")
    if "--report" in installation.probe:
        report: dict[str, Any] = orjson.loads(done.stdout)
        found = [str(each["metadata"]["version"]) for each in report["install"]]
    else:
        found = _UV_WOULD_INSTALL.findall(done.stdout + done.stderr)
    return found[0] if found else installation.version


def install_version(installation: Installation, version: str | None) -> str:
    """Install a version, or the newest, and return which one then starts.

    The installer writes to this process's own outputs.

    Raises:
        UpdateFailed: the installer failed and changed nothing, or what it installed does not start.
    """
    sys.stdout.flush()
    done = subprocess.run(  # noqa: S603 - the installer's own program
        installation.command(version),
        env={**os.environ, **installation.environment},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode != 0:
        raise UpdateFailed(
            f"{installation.installer} failed with exit code {done.returncode}; "
            f"codexia {installation.version} is still installed"
        )
    return _version_that_starts()


def own_command() -> tuple[str, ...]:
    """Return how to run the installed Codexia, whichever version it is by then."""
    script = Path(sysconfig.get_path("scripts"), "codexia")
    return (str(script),) if script.is_file() else (sys.executable, "-P", "-m", "codexia")


def _version_that_starts() -> str:
    command = (*own_command(), "--version")
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UpdateFailed(f"the new version does not start: {error}") from error
    name, _, version = done.stdout.strip().partition(" ")
    if done.returncode != 0 or name != "codexia":
        words = done.stderr.strip().splitlines()
        raise UpdateFailed(
            f"the new version does not start ({words[-1] if words else 'no reason given'}); "
            "go back with `codexia update --version` or your installer"
        )
    return version
