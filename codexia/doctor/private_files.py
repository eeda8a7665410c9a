"""The home and the files in it: whose they are, and who else can read them."""

from __future__ import annotations

import os
import shlex
import stat
from typing import TYPE_CHECKING

from codexia.doctor.finding import Finding, worst_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codexia.doctor.finding import State
    from codexia.doctor.subject import Subject

NAME = "permissions"


def check_files(subject: Subject) -> list[Finding]:
    """Return what is wrong with owners, modes and links."""
    home = subject.home
    if not home.root.exists():
        return [Finding(NAME, "ok", f"{home.root} does not exist yet")]
    files: tuple[tuple[Path, State], ...] = (
        (subject.auth_file, "broken"),
        (home.config_file, "warning"),
        (home.state_file, "warning"),
    )
    findings = [
        *(each for directory in _directories(subject) for each in _of_directory(directory)),
        *(each for path, state in files for each in _of_file(path, state)),
    ]
    return worst_of(NAME, findings, f"{home.root} and its files are yours alone")


def _directories(subject: Subject) -> Iterator[Path]:
    home = subject.home
    yield from dict.fromkeys((home.root, home.run, home.logs, home.recordings, home.socket_dir))


def _of_directory(path: Path) -> Iterator[Finding]:
    if not path.exists():
        return
    if not path.is_dir():
        yield Finding(NAME, "broken", f"{path} is not a directory", "move it away")
        return
    yield from _of_owner(path)
    if path.stat().st_mode & 0o077:
        yield _open(path, "warning", "700")


def _of_file(path: Path, state: State) -> Iterator[Finding]:
    if path.is_symlink() and not path.exists():
        yield Finding(
            NAME,
            "broken",
            f"{path} is a link to {path.readlink()}, which does not exist",
            f"remove the link: rm {shlex.quote(str(path))}",
        )
        return
    if not path.exists():
        return
    if not stat.S_ISREG(path.stat().st_mode):
        yield Finding(NAME, "broken", f"{path} is not a file", "move it away")
        return
    yield from _of_owner(path)
    if path.stat().st_mode & 0o077:
        yield _open(path, state, "600")


def _of_owner(path: Path) -> Iterator[Finding]:
    owner = path.stat().st_uid
    if owner != os.getuid():
        yield Finding(
            NAME,
            "broken",
            f"{path} belongs to user {owner}, and you are {os.getuid()}",
            f"sudo chown -R {os.getuid()} {shlex.quote(str(path))}",
        )


def _open(path: Path, state: State, mode: str) -> Finding:
    now = stat.S_IMODE(path.stat().st_mode)
    return Finding(
        NAME,
        state,
        f"others of this host can open {path} (mode {now:o})",
        f"chmod {mode} {shlex.quote(str(path))}",
    )
