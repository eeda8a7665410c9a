"""What a worker that accepts no more may do to the process above it."""

from __future__ import annotations

import subprocess
import sys

ORPHAN = """
import ctypes, multiprocessing, os, signal, threading
from codexia_workers.accepting import _end_generation

PR_SET_CHILD_SUBREAPER = 36
fork = multiprocessing.get_context("fork")
signalled = []
signal.signal(signal.SIGTERM, lambda *_: signalled.append(os.getpid()))
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def worker(main, done):
    while os.getppid() == main:
        threading.Event().wait(0.01)
    _end_generation()
    done.set()


def main(done):
    fork.Process(target=worker, args=(os.getpid(), done)).start()
    os._exit(0)


done = fork.Event()
process = fork.Process(target=main, args=(done,))
process.start()
assert done.wait(20)
os.waitpid(-1, 0)
print(signalled)
"""


def test_orphan_does_not_tell_its_new_parent_to_stop():
    done = subprocess.run(
        [sys.executable, "-c", ORPHAN], capture_output=True, text=True, timeout=40, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
