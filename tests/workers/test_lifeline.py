"""The socket of a generation, before and after it begins to stop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from codexia.control import GenerationHello
from codexia_workers.lifeline import LEAVING, READY_TO_STOP, WORKER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROCESS = Path(__file__).with_name("lifeline_process.py")
DEADLINE_S = 20.0


class Generation:
    """The process that has the socket, and connections to it."""

    def __init__(self, path: Path, orphaned_after_s: float) -> None:
        self.path = path
        self.process = subprocess.Popen(
            [sys.executable, PROCESS, path, str(orphaned_after_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.says() == "up"

    def says(self) -> str:
        """Return the next line of its output."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def greet(self) -> tuple[socket.socket, GenerationHello, list[int]]:
        """Return a connection as a supervisor's, the greeting, and what came with it."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(DEADLINE_S)
        connection.connect(str(self.path))
        line, descriptors, _, _ = socket.recv_fds(connection, 65536, 4)
        return connection, GenerationHello.model_validate_json(line), descriptors

    def worker(self) -> socket.socket:
        """Return a connection as a worker's."""
        connection, _, _ = self.greet()
        connection.sendall(WORKER)
        return connection

    def end(self) -> None:
        """Let it end and wait for that."""
        self.process.communicate()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Generation]]:
    started: list[Generation] = []

    def start(orphaned_after_s: float = DEADLINE_S) -> Generation:
        started.append(Generation(tmp_path / "generation-7.sock", orphaned_after_s))
        return started[-1]

    yield start
    for generation in started:
        generation.process.kill()
        generation.end()


def test_generation_that_stops_says_so_to_later_supervisors_too(
    start: Callable[..., Generation], tmp_path: Path
):
    generation = start()
    earlier, hello, descriptors = generation.greet()
    with earlier, socket.socket(fileno=descriptors[0]) as listener:
        assert (hello.leaving, hello.pid) == (False, generation.process.pid)
        assert listener.getsockname() == ("127.0.0.1", hello.bind_port)
        generation.process.send_signal(signal.SIGTERM)
        assert orjson.loads(earlier.recv(64)) == {"leaving": True}
    assert generation.says() == "ready to stop"
    later, hello, descriptors = generation.greet()
    with later:
        assert (hello.leaving, hello.generation, descriptors) == (True, 7, [])
    generation.end()
    assert list(tmp_path.iterdir()) == []


def test_generation_waits_for_its_workers_to_be_ready(start: Callable[..., Generation]):
    generation = start()
    with generation.worker() as worker:
        generation.process.send_signal(signal.SIGTERM)
        # Twice, if the generation took it for a supervisor when the signal came.
        assert worker.recv(64).startswith(LEAVING)
        with generation.worker() as late:
            assert late.recv(64) == LEAVING
            for each in (worker, late):
                each.sendall(READY_TO_STOP)
            assert generation.says() == "ready to stop"


def test_end_of_the_main_process_is_noticed_whatever_its_workers_do(
    start: Callable[..., Generation],
):
    generation = start()
    earlier, _, descriptors = generation.greet()
    with earlier, socket.socket(fileno=descriptors[0]), socket.socket(socket.AF_UNIX) as later:
        generation.process.send_signal(signal.SIGUSR1)
        worker = int(generation.says())
        try:
            generation.process.kill()
            generation.process.wait(DEADLINE_S)
            assert earlier.recv(64) == b""
            with pytest.raises(ConnectionRefusedError):
                later.connect(str(generation.path))
        finally:
            os.kill(worker, signal.SIGKILL)


def test_generation_that_no_supervisor_wants_stops_by_itself(start: Callable[..., Generation]):
    generation = start(orphaned_after_s=1.0)
    with generation.worker() as worker:
        assert worker.recv(64) == LEAVING, "a worker is no supervisor"
        worker.sendall(READY_TO_STOP)
        assert generation.says() == "ready to stop"
