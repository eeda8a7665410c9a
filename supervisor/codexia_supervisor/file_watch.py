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

SETTLE_MS: Final = 5000
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
            logger.warning("file changes are polled, the system does not report them: %s", error)
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
    settled = False
    async for changes in awatch(
        *directories,
        watch_filter=None,
        debounce=2 * STEP_MS,
        step=STEP_MS,
        rust_timeout=SETTLE_MS,
        yield_on_timeout=True,
        recursive=False,
        stop_event=stopping,
        force_polling=polling,
        ignore_permission_denied=True,
    ):
        # The first time even without a change: there may have been one before the watch.
        if settled and names.isdisjoint(path.rpartition("/")[2] for _, path in changes):
            continue
        settled = True
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
