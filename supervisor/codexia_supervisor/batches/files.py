"""Files as their owners see them: kept, listed, read, deleted."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from codexia.batches import FilePage, StoredFile
from codexia.errors import NotFound
from codexia_supervisor.batches.results import file_lines
from codexia_supervisor.batches.stores import batches_in, files_in

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable

    from codexia_supervisor.batches.content import Contents
    from codexia_supervisor.batches.housekeeping import Housekeeping
    from codexia_supervisor.state_file import StateFile

MAX_FILE_BYTES: Final = 256 * 1024 * 1024


class Files:
    """The clients' side of files. Where `key` is given, those of others are as if not there."""

    def __init__(
        self,
        file: StateFile,
        contents: Contents,
        house: Housekeeping,
        clock: Callable[[], float],
    ) -> None:
        self._file = file
        self._contents = contents
        self._house = house
        self._clock = clock

    async def add(self, key: str, name: str, content: AsyncIterable[bytes]) -> StoredFile:
        """Return a new file.

        Raises:
            RequestTooLarge: it is over the limit.
            StateUnavailable: nothing can be kept.
        """
        await self._house.recover()
        file_id = f"file-{secrets.token_hex(12)}"
        size_bytes = await self._contents.write(file_id, content, MAX_FILE_BYTES)
        file = StoredFile(
            id=file_id,
            filename=name,
            purpose="batch",
            size_bytes=size_bytes,
            created_at=int(self._clock()),
        )
        try:
            async with files_in(self._file) as store:
                await store.add(key, file)
        except BaseException:
            await self._contents.remove(file_id)
            raise
        return file

    async def page(
        self, key: str | None, purpose: str, after: str, limit: int, *, ascending: bool
    ) -> FilePage:
        """Return files by age.

        Raises:
            NotFound: there is no file `after`.
            StateUnavailable: nothing can be read.
        """
        if not self._contents.exists:
            if after:
                raise NotFound(f"there is no file {after!r}", param="after")
            return FilePage(files=(), has_more=False)
        async with files_in(self._file) as store:
            files, has_more = await store.page(key, purpose, after, limit, ascending=ascending)
        return FilePage(files=tuple(files), has_more=has_more)

    async def get(self, file_id: str, key: str | None) -> StoredFile:
        """Return what is known of a file.

        Raises:
            NotFound: there is none.
            StateUnavailable: nothing can be read.
        """
        return (await self.find(file_id, key))[0]

    async def find(self, file_id: str, key: str | None) -> tuple[StoredFile, int | None]:
        """Return a file, and the number of the batch whose results it is, if it is such.

        Raises:
            NotFound: there is none.
            StateUnavailable: nothing can be read.
        """
        found = None
        if self._contents.exists:
            async with files_in(self._file) as store:
                found = await store.find(file_id, key)
        if found is None:
            raise NotFound("there is no such file")
        return found

    async def content(self, file_id: str, key: str | None) -> AsyncGenerator[bytes]:
        """Return the content of a file.

        Raises:
            NotFound: there is none.
            StateUnavailable: nothing can be read.
        """
        file, number = await self.find(file_id, key)
        if number is None:
            if not self._contents.has(file.id):
                raise NotFound(f"the content of {file_id} is lost")
            return self._contents.stream(file.id)
        async with batches_in(self._file) as store:
            batch = await store.get(number)
        kind = "output" if file.id == batch.output_file_id else "error"
        return file_lines(self._file, batch, kind)

    async def delete(self, file_id: str, key: str | None) -> None:
        """Forget a file; batches that were made of it go on.

        Raises:
            NotFound: there is none.
            StateUnavailable: nothing can be written.
        """
        file, _ = await self.find(file_id, key)
        async with files_in(self._file) as store:
            await store.delete(file.id)
        await self._contents.remove(file.id)
