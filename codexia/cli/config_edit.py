"""`codexia config edit`: a copy in an editor, saved only when a gateway would take it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Collection

    from codexia.config_file import ConfigFile

FALLBACKS: Final = ("nano", "vi")


def edit_file(file: ConfigFile) -> Collection[str] | None:
    """Return the keys that changed, None if the text is the same.

    Raises:
        CodexiaError: there is no editor, it failed, or what it left is wrong and given up.
    """
    from codexia.errors import CodexiaError

    before = file.raw()
    # A directory of its own: editors put copies beside a file, with the keys in them.
    with tempfile.TemporaryDirectory(prefix="codexia-config-") as folder:
        draft = Path(folder) / file.path.name
        draft.touch(mode=0o600)
        draft.write_bytes(before or b"{\n}\n")
        offered = draft.read_bytes()
        while True:
            _run_editor(draft)
            text = draft.read_bytes()
            if text == offered:
                return None
            try:
                file.replace(text, before=before)
            except CodexiaError as error:
                typer.echo(f"not saved: {error.message}", err=True)
                if not typer.confirm("Edit it again?", default=True, err=True):
                    raise CodexiaError("given up; config.json is as it was") from error
                # Seen by now: the next attempt may replace what somebody else saved.
                before = file.raw()
            else:
                return _changed(before, text, file)


def _run_editor(draft: Path) -> None:
    from codexia.errors import CodexiaError

    command = [*_editor(), str(draft)]
    try:
        done = subprocess.run(command, check=False)  # noqa: S603 - the user names it himself
    except OSError as error:
        raise CodexiaError(f"{command[0]} cannot be run: {error.strerror}; set EDITOR") from error
    if done.returncode:
        raise CodexiaError(f"{command[0]} failed; config.json is as it was")


def _editor() -> list[str]:
    from codexia.errors import CodexiaError

    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if chosen:
        return shlex.split(chosen)
    for name in FALLBACKS:
        if path := shutil.which(name):
            return [path]
    raise CodexiaError("there is no editor; set EDITOR to one")


def _changed(before: bytes, after: bytes, file: ConfigFile) -> list[str]:
    """Return the settings whose values differ."""
    from codexia.config import KEYS, parse_config
    from codexia.errors import ConfigError

    new = parse_config(after, file.path)
    try:
        old = parse_config(before, file.path) if before else {}
    except ConfigError:
        return list(KEYS)
    return [key for key in KEYS if old.get(key) != new.get(key)]
