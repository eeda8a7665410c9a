"""The directory of recordings: one file each, named by when it began and its id."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from codexia.errors import BadRequest, NotFound
from codexia.recordings.recording import FORMAT, NAME, Recording

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX: Final = ".json"
PART: Final = ".part"
"""Of a file that is being written."""


class Folder:
    """The recordings of one home."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, name: str) -> Path:
        """Return where a recording is, or would be."""
        return self._directory / f"{name}{SUFFIX}"

    def sizes(self) -> dict[str, int]:
        """Return the sizes in bytes of all recordings by name, the oldest first."""
        with suppress(FileNotFoundError):
            return {
                path.stem: path.stat().st_size
                for path in sorted(self._directory.iterdir())
                if path.suffix == SUFFIX and NAME.fullmatch(path.stem)
            }
        return {}

    def find(self, request_id: str) -> Path:
        """Return the file of a recording.

        Args:
            request_id: as answers and the log have it, or as much of it as only one has.

        Raises:
            NotFound: there is none, or more than one.
        """
        wanted = f"req_{request_id.removeprefix('req_')}"
        found = [name for name in self.sizes() if name.partition("-")[2].startswith(wanted)]
        exact = [name for name in found if name.endswith(f"-{wanted}")]
        if len(exact or found) != 1:
            count = "more than one recording" if found else "no recording"
            raise NotFound(f"there is {count} of {request_id}; `codexia recordings list` has all")
        return self.path((exact or found)[0])

    def recordings(self) -> list[tuple[str, Recording]]:
        """Return the recordings by name, the newest first; what is none is left out."""
        found: list[tuple[str, Recording]] = []
        for name in reversed(self.sizes()):
            with suppress(BadRequest, OSError):
                found.append((name, read_recording(self.path(name))))
        return found

    def clear(self) -> int:
        """Remove all recordings; return how many there were."""
        names = self.sizes()
        for name in names:
            self.path(name).unlink(missing_ok=True)
        return len(names)


def read_recording(path: Path) -> Recording:
    """Return what a file holds.

    Raises:
        BadRequest: it is no recording, or one of a newer version.
        OSError: it cannot be read.
    """
    try:
        recording = Recording.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise BadRequest(f"{path} is no recording") from error
    if recording.format != FORMAT:
        raise BadRequest(f"{path} was recorded by a newer version; update, then try again")
    return recording
