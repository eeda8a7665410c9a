"""A generation's main process without Granian: `lifeline_process.py SOCKET ORPHANED_AFTER_S`.

At SIGTERM it stops as Granian's does, says so on its output, and ends once its input does. At
SIGUSR1 it forks as Granian does for a worker, and says the pid of that.
"""

import os
import signal
import socket
import sys
from pathlib import Path

from codexia.config import Settings
from codexia.control import GenerationSpec
from codexia_supervisor.snapshot import build_snapshot
from codexia_workers import lifeline

path, orphaned_after_s = sys.argv[1:]
lifeline.ORPHANED_AFTER_S = float(orphaned_after_s)
listener = socket.create_server(("127.0.0.1", 0))
spec = GenerationSpec(
    generation=7,
    version="1.0",
    workers=2,
    bind_host="127.0.0.1",
    bind_port=listener.getsockname()[1],
    listener_fd=-1,
    control_socket=str(Path(path).with_name("supervisor.sock")),
    generation_socket=path,
    snapshot=build_snapshot(Settings(), None, "", (), 0, 0),
)
generation = lifeline.Lifeline(spec, listener)


def say(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def stop(*_):
    generation.leave()
    say("ready to stop")


def fork(*_):
    child = os.fork()
    if child == 0:
        signal.pause()
    say(child)


signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGUSR1, fork)
generation.start()
say("up")
sys.stdin.read()
generation.close()
