"""What the host gives: locks, room on the disk, open files, versions."""

from __future__ import annotations

import fcntl
import os
import platform
import re
import resource
import shutil
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codexia.doctor.finding import Finding, worst_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codexia.doctor.subject import Subject

DISTRIBUTION: Final = "codexia-gateway"
NEEDED_MB: Final = 10
WANTED_MB: Final = 500
WANTED_FILES: Final = 1024
FILES_OF_A_STREAM: Final = 2
FILES_BESIDES: Final = 64


def check_locks(subject: Subject) -> list[Finding]:
    """Return whether files can be locked where the gateway and the login have their locks."""
    directories = dict.fromkeys((subject.home.run, subject.auth_file.resolve().parent))
    findings = [each for path in directories if path.is_dir() for each in _of_locking(path)]
    return worst_of("locks", findings, "the file system supports them")


def check_disk(subject: Subject) -> list[Finding]:
    """Return whether there is room for logins, batches and stored responses."""
    path = subject.home.root
    while not path.exists():
        path = path.parent
    return [space(path, shutil.disk_usage(path).free // 2**20)]


def space(path: Path, free_mb: int) -> Finding:
    """Return what so much free space means."""
    found = f"{free_mb} MiB free at {path}"
    if free_mb < NEEDED_MB:
        advice = "make room: a login cannot be refreshed without"
        return Finding("disk", "broken", found, advice)
    if free_mb < WANTED_MB:
        return Finding("disk", "warning", found, "make room for stored responses and batches")
    return Finding("disk", "ok", found)


def check_open_files(subject: Subject) -> list[Finding]:
    """Return how many streams a worker can have open."""
    limit = _limit_of(subject.running.pid) if subject.running else None
    if limit is None:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return [Finding("open files", "ok", "no limit")]
    streams = max(0, (limit - FILES_BESIDES) // FILES_OF_A_STREAM)
    found = f"limit {limit}: up to {streams} streams a worker"
    if limit >= WANTED_FILES:
        return [Finding("open files", "ok", found)]
    advice = "`ulimit -n 4096` before `codexia serve`, or LimitNOFILE= of the service"
    return [Finding("open files", "warning", found, advice)]


def check_versions(subject: Subject) -> list[Finding]:  # noqa: ARG001 - as all checks
    """Return which installed packages are older or newer than what this version needs."""
    findings = [
        Finding("versions", "broken", wrong, f"install it anew: pip install -U {DISTRIBUTION}")
        for wrong in _wrong_packages()
    ]
    found = f"Python {platform.python_version()}, granian {metadata.version('granian')}"
    return worst_of("versions", findings, f"{found}, starlette {metadata.version('starlette')}")


def _of_locking(path: Path) -> Iterator[Finding]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    except OSError as error:
        found = f"{path} cannot be locked: {error.strerror}"
        advice = "keep it on a local disk: set CODEXIA_HOME or auth_file"
        yield Finding("locks", "broken", found, advice)
    finally:
        os.close(descriptor)


def _limit_of(pid: int) -> int | None:
    """Return a process's limit of open files, where the system tells it."""
    try:
        limits = Path(f"/proc/{pid}/limits").read_text()
    except OSError:
        return None
    found = re.search(r"^Max open files\s+(\d+)", limits, re.MULTILINE)
    return int(found[1]) if found else None


def _wrong_packages() -> Iterator[str]:
    try:
        needed = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return
    for requirement in needed:
        if ";" in requirement:  # of an extra
            continue
        parts = re.match(r"([\w.-]+)(?:\[[^]]*\])?(.*)", requirement)
        if parts is None:
            continue
        name, limits = parts.groups()
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield f"{name} is not installed"
            continue
        if not satisfies(installed, limits):
            yield f"{name} is {installed}, needed is {limits}"


def satisfies(version: str, limits: str) -> bool:
    """Return whether a version is within limits such as `>=2.8,<2.9`."""
    for operator, limit in re.findall(r"(>=|<=|==|<|>)\s*([\d.]+)", limits):
        ours, theirs = _numbers(version), _numbers(limit)
        kept = {
            ">=": ours >= theirs,
            "<=": ours <= theirs,
            "==": ours == theirs,
            "<": ours < theirs,
            ">": ours > theirs,
        }
        if not kept[operator]:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:4]]
    return tuple(numbers + [0] * (4 - len(numbers)))
