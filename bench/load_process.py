"""The load generator as it is seen by who starts it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Self

from bench.job import Finished, Seen
from bench.processes import DEADLINE_S, ProcessFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.job import Job


class LoadGenerator:
    """The other end of `bench.load`'s pipes."""

    def __init__(self) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "bench.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, job: Job, *, on_ready: Callable[[], None], on_finished: Callable[[], None]
    ) -> tuple[Finished, Seen]:
        """Do a job and return how long it took, and what came of its main flow.

        Args:
            job: what to do.
            on_ready: called when all connections are open and nothing streams.
            on_finished: called when the last stream has ended, before they are looked at.

        Raises:
            ProcessFailed: a stream was not as it was sent, or did not come.
        """
        self._write(job.model_dump_json())
        self._expect("ready")
        on_ready()
        self._write("go")
        finished = Finished.model_validate_json(self._expect("{"))
        on_finished()
        return finished, Seen.model_validate_json(self._expect("{"))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    def stop(self) -> None:
        """End the process."""
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        self._popen.wait(DEADLINE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _write(self, line: str) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.write(line + "\n")
        self._popen.stdin.flush()

    def _expect(self, start: str) -> str:
        assert self._popen.stdout is not None
        line = self._popen.stdout.readline()
        if not line.startswith(start):
            raise ProcessFailed(f"load generator: {line.strip() or 'ended'}")
        return line
