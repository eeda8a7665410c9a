"""Runs `intake.py` on a content and takes what it finds, some items at a time.

A small content is checked in a thread, which is quicker than the start of a process.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import orjson

from codexia.batches import LineProblem
from codexia.errors import StateUnavailable
from codexia_supervisor.batches import intake
from codexia_supervisor.child_environment import child_environment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

COMMAND: Final = (sys.executable, "-P", "-m", "codexia_supervisor.batches.intake")
SMALL_BYTES: Final = 256 * 1024
READ_BYTES: Final = 64 * 1024
ITEMS_ADDED: Final = 250
"""As many rows as one transaction may hold up the others for, about 3 ms."""

LOST: Final = LineProblem(
    line=None,
    code="batch_content_lost",
    message="the content of this batch is lost; create it anew",
)

Found = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many items a content has, the model that all of them ask for, and what is wrong."""

    items: int
    model: str | None
    problems: tuple[LineProblem, ...]


async def check(
    dialect: str, path: Path, endpoint: str, add: Callable[[list[Found]], Awaitable[None]]
) -> Verdict:
    """Return what is to be said of a content; `add` gets the items that were found before.

    Raises:
        StateUnavailable: it could not be checked.
    """
    try:
        size_bytes = (await asyncio.to_thread(path.stat)).st_size
    except OSError:
        return Verdict(0, None, (LOST,))
    if size_bytes <= SMALL_BYTES:
        said = await asyncio.to_thread(_check_here, dialect, path, endpoint)
        *found, verdict = map(orjson.loads, said)
        for start in range(0, len(found), ITEMS_ADDED):
            await add(found[start : start + ITEMS_ADDED])
    else:
        verdict = await _check_apart(dialect, path, endpoint, add)
    problems = tuple(LineProblem.model_validate(problem) for problem in verdict["problems"])
    return Verdict(verdict["items"], verdict["model"], problems)


def _check_here(dialect: str, path: Path, endpoint: str) -> list[bytes]:
    output = BytesIO()
    verdict = intake.check(dialect, path, endpoint, output)
    return [*output.getvalue().splitlines(), orjson.dumps(verdict)]


async def _check_apart(
    dialect: str, path: Path, endpoint: str, add: Callable[[list[Found]], Awaitable[None]]
) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, dialect, str(path), endpoint),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        env=child_environment(),
    )
    try:
        verdict = await _take(process, add)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    if verdict is None:
        raise StateUnavailable("the content of the batch could not be checked; try again")
    return verdict


async def _take(
    process: asyncio.subprocess.Process, add: Callable[[list[Found]], Awaitable[None]]
) -> dict[str, Any] | None:
    assert process.stdout is not None  # noqa: S101 - asked for above
    verdict: dict[str, Any] | None = None
    found: list[Found] = []
    rest = b""
    while chunk := await process.stdout.read(READ_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            said = orjson.loads(line)
            if isinstance(said, dict):
                verdict = said  # pyright: ignore[reportUnknownVariableType]
            else:
                found.append(said)
        while len(found) >= ITEMS_ADDED:
            await add(found[:ITEMS_ADDED])
            del found[:ITEMS_ADDED]
    if verdict is not None and not verdict["problems"] and found:
        await add(found)
    await process.wait()
    return verdict if process.returncode == 0 else None
