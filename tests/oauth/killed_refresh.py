"""A program: refresh a login and be killed, at every step in turn, and see what the next one has.

    killed_refresh.py DIRECTORY SIMULATOR

Steps are the calls by which a refresh touches the world: locks, files, the login server. Each
has a place before it and one after it. For each place a login of its own is refreshed by a
process that kills itself there, and by another one afterwards. A JSON line tells of each.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import orjson

from codexia.errors import CodexiaError
from codexia.oauth.client import AuthorityClient
from codexia.oauth.credentials import read_credentials
from codexia.oauth.renewal import renew

if TYPE_CHECKING:
    from collections.abc import Callable

TOUCHING = (
    (os, "open"),
    (os, "pwrite"),
    (os, "ftruncate"),
    (os, "fsync"),
    (os, "close"),
    (fcntl, "flock"),
    (Path, "replace"),
    (Path, "unlink"),
)


@dataclass
class Killer:
    """Kills this process at the place of that number, and says where that is."""

    at: int
    told: int
    passed: int = 0

    def watch(self, owner: Any, name: str) -> None:
        """Have a place before and after each call of a function."""
        setattr(owner, name, self.watched(getattr(owner, name), name))

    def watched(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            where = f"{name} {described(args[0])}"
            self.place(f"before {where}")
            result = call(*args, **kwargs)
            self.place(f"after {where}")
            return result

        return watched

    def watch_the_authority(self) -> None:
        """Have a place before a refresh is sent and after it is answered."""
        post = AuthorityClient._post

        async def posted(client: AuthorityClient, url: str, **body: Any) -> bytes:
            self.place("before sending")
            reply = await post(client, url, **body)
            self.place("after the answer")
            return reply

        AuthorityClient._post = posted  # pyright: ignore[reportAttributeAccessIssue]

    def place(self, where: str) -> None:
        if "auth.json" not in where and "answer" not in where and "sending" not in where:
            return  # the event loop's own doings
        if self.passed == self.at:
            os.write(self.told, where.encode())
            os.kill(os.getpid(), signal.SIGKILL)
        self.passed += 1


def described(target: object) -> str:
    """Return the name of the file that an argument stands for."""
    if isinstance(target, int):
        try:
            return Path(f"/proc/self/fd/{target}").readlink().name
        except OSError:
            return ""
    return Path(target).name if isinstance(target, (str, Path)) else ""


def in_a_process(work: Callable[[int], None]) -> tuple[bool, bytes]:
    """Return whether some work was killed, and what it wrote to its descriptor."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        work(theirs)
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as told:
        written = told.read()
    return os.WIFSIGNALED(os.waitpid(child, 0)[1]), written


def refresh(auth_file: Path, issuer: str) -> str:
    """Return "renewed", or why the login is not."""
    known = read_credentials(auth_file)
    assert known
    try:
        renewed = asyncio.run(renew(auth_file, known, AuthorityClient(issuer, "test")))
    except CodexiaError as error:
        return error.message
    assert renewed
    stored = read_credentials(auth_file)
    assert stored == renewed, "used before it was saved"
    return "renewed"


def killed_at(place: int, auth_file: Path, issuer: str) -> str:
    """Refresh in a process that dies at a place; return where that is, "" past the last one."""

    def work(told: int) -> None:
        killer = Killer(place, told)
        for owner, name in TOUCHING:
            killer.watch(owner, name)
        killer.watch_the_authority()
        refresh(auth_file, issuer)

    killed, where = in_a_process(work)
    return where.decode() if killed else ""


def main(directory: Path, issuer: str) -> None:
    place = 0
    with httpx.Client(base_url=issuer, trust_env=False) as simulator:
        while True:
            auth_file = directory / str(place) / "auth.json"
            auth_file.parent.mkdir(parents=True)
            auth_file.write_bytes(simulator.post("/simulator/credentials").content)
            simulator.post("/simulator/reset")
            where = killed_at(place, auth_file, issuer)
            if not where:
                return
            _, answer = in_a_process(
                lambda told, path=auth_file: os.write(told, refresh(path, issuer).encode())
            )
            stats = simulator.get("/simulator/stats").json()
            line = {
                "where": where,
                "answer": answer.decode(),
                "reuse": stats["refresh_token_reuse"],
                "home": str(auth_file.parent),
                "left": sorted(path.name for path in auth_file.parent.iterdir()),
            }
            sys.stdout.write(orjson.dumps(line).decode() + "\n")
            sys.stdout.flush()
            place += 1


main(Path(sys.argv[1]), sys.argv[2])
