"""Private files that survive a crash at any instant."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from codexia.processes import lives

if TYPE_CHECKING:
    from collections.abc import Generator


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` at `path`, mode 0600: afterwards the old file stands or the new one.

    The content is on disk before the name moves to it, and the directory is synced after.
    A symbolic link keeps pointing where it did; its target is replaced.
    """
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Generator[BinaryIO]:
    """Give a file that takes the place of `path` at the end, mode 0600, if nothing failed."""
    path = path.resolve()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    remove_drafts(path)
    prefix = f".{path.name}.{os.getpid()}-"
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=prefix)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise
    sync_directory(path.parent)


def remove_drafts(path: Path) -> None:
    """Remove what is left of processes that were killed while they replaced a file."""
    draft = re.compile(rf"\.{re.escape(path.name)}\.(\d+)-\w+")
    for each in list(path.parent.iterdir()):
        if (found := draft.fullmatch(each.name)) and not lives(int(found[1])):
            each.unlink(missing_ok=True)


def sync_directory(path: Path) -> None:
    """Return once the names in a directory are on disk."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
