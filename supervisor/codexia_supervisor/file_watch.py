"""Notice when a file changes, however an editor or a deployment changes it.

Editors replace files, deployments move symbolic links, people delete. So directories are
watched and not files: the file's own, and those of every link on the way to it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType] - anyio's event type
from watchfiles._rust_notify import WatchfilesRustInternalError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

logger = logging.getLogger("codexia.supervisor")

STEP_MS: Final = 200
"""How often the watcher's thread looks whether there are changes. An edit is live after at
most two steps; at the library's 50 ms an idle supervisor woke four times as often."""

LOOK_MS: Final = 500
"""How often the files themselves are looked at while no change is reported: network file systems
and some of containers report none, and polling in the library's way costs far more."""

RETRY_S: Final = 1.0
MAX_LINKS: Final = 16


async def watch_files(
    files: Callable[[], Sequence[Path]], changed: Callable[[], None], stopping: asyncio.Event
) -> None:
    """Call `changed` after every burst of changes near the files, until `stopping` is set.

    Args:
        files: gives the files; asked again after every change.
        changed: has to look itself what changed, if anything.
        stopping: ends the watch.
    """
    polling = False
    while not stopping.is_set():
        try:
            await _watch_once(files, changed, stopping, polling=polling)
        except FileNotFoundError:
            await asyncio.sleep(RETRY_S)  # a directory went away just now
        except (OSError, WatchfilesRustInternalError) as error:
            if not polling:
                logger.warning("file changes are polled, none are reported: %s", error)
            polling = True
            await asyncio.sleep(RETRY_S)


async def _watch_once(
    files: Callable[[], Sequence[Path]],
    changed: Callable[[], None],
    stopping: asyncio.Event,
    *,
    polling: bool,
) -> None:
    """Watch until other directories or names matter than at the start."""
    scope = directories, names = _directories(files()), _names(files())
    seen: list[object] | None = None
    async for changes in awatch(
        *directories,
        watch_filter=None,
        debounce=2 * STEP_MS,
        step=STEP_MS,
        rust_timeout=LOOK_MS,
        yield_on_timeout=True,
        recursive=False,
        stop_event=stopping,
        force_polling=polling,
        ignore_permission_denied=True,
    ):
        # Both, since two writes within a tick of the kernel's clock leave the same traces.
        reported = not names.isdisjoint(path.rpartition("/")[2] for _, path in changes)
        traces = _traces(files())
        if traces == seen and not reported:
            continue
        seen = traces  # None before the first look: something may have changed before the watch
        changed()
        if (_directories(files()), _names(files())) != scope:
            return


def _directories(files: Sequence[Path]) -> set[Path]:
    """Return the directories whose entries decide what the files hold."""
    return {_existing(link.parent) for file in files for link in _links(file)}


def _names(files: Sequence[Path]) -> set[str]:
    """Return the names whose changes matter, those of missing directories among them."""
    names: set[str] = set()
    for file in files:
        for link in _links(file):
            names |= {link.name, link.parent.name}
            missing = link.parent
            while not missing.exists():
                names.add(missing.name)
                missing = missing.parent
    return names


def _traces(files: Sequence[Path]) -> list[object]:
    """Return what differs after a change, link by link."""
    return [_trace(link) for file in files for link in _links(file)]


def _trace(link: Path) -> object:
    try:
        entry = link.lstat()
    except OSError as error:
        return error.errno
    return entry.st_dev, entry.st_ino, entry.st_ctime_ns, entry.st_size


def _links(file: Path) -> list[Path]:
    """Return the file and all that it points to, link by link."""
    links = [file]
    while links[-1].is_symlink() and len(links) < MAX_LINKS:
        links.append(links[-1].parent / links[-1].readlink())
    return links


def _existing(directory: Path) -> Path:
    while not directory.exists():
        directory = directory.parent
    return directory
