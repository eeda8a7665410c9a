"""One listening socket for all processes: what `codexia_workers.server` asks of Granian."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from granian.server.mp import MPServer

if TYPE_CHECKING:
    from tests.e2e.processes import Gateway

LISTEN = "0A"


def listening_inodes(port: int) -> list[str]:
    """Return the inodes of the sockets that listen on a port of 127.0.0.1."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row[9] for row in rows if row[1] == f"0100007F:{port:04X}" and row[3] == LISTEN]


def holds(pid: int, inode: str) -> bool:
    """Return whether a process has a socket open."""
    links = (str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir())
    return f"socket:[{inode}]" in links


def test_all_workers_accept_on_the_supervisors_one_socket(gateway: Gateway):
    [inode] = listening_inodes(int(gateway.url.rpartition(":")[2]))
    pids = [gateway.popen.pid, gateway.generation_pid(), *gateway.worker_pids()]
    assert len(pids) == 4
    assert all(holds(pid, inode) for pid in pids)
    assert httpx.get(f"{gateway.url}/health").status_code == 200


def test_granian_still_has_the_names_that_are_overridden():
    """A new Granian that renames them would open a socket of its own beside ours."""
    assert "_init_shared_socket" in MPServer.__dict__
    assert {"_sso", "_shd"} <= set(MPServer._init_shared_socket.__code__.co_names)
    assert {"_ssp", "_shd", "_sso"} <= set(MPServer._spawn_worker.__code__.co_names)
