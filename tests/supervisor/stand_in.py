"""A generation without Granian: it starts in a tenth of a second and misbehaves on demand.

The first word of the file in `STAND_IN` says how:
- `serve`: as a generation should; SIGUSR1 makes it say that it leaves, and stay
- `crash`: exits 1 before it is ready
- `refuse`: exits 78
- `slow`: serves, and needs a second to greet
- `stubborn`: serves; at SIGTERM it says that it leaves, and stays
- `mute`: its workers never follow the snapshots
"""

import array
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import orjson

spec = orjson.loads(sys.stdin.readline() or sys.exit(3))
mode = Path(os.environ["STAND_IN"]).read_text().split()[0]
if mode in ("crash", "refuse"):
    sys.exit({"crash": 1, "refuse": 78}[mode])
if mode == "slow":
    time.sleep(1)

listener = socket.socket(fileno=spec["listener_fd"])
supervisors = []
leaving = threading.Event()


def greet():
    path = spec["generation_socket"]
    server = socket.socket(socket.AF_UNIX)
    # As a real one does: a socket that refuses is taken for a dead one's, and removed.
    server.bind(f"{path}.{os.getpid()}")
    server.listen()
    Path(f"{path}.{os.getpid()}").rename(path)
    hello = {
        key: spec[key] for key in ("generation", "version", "workers", "bind_host", "bind_port")
    }
    while True:
        connection, _ = server.accept()
        hello |= {"pid": os.getpid(), "leaving": leaving.is_set()}
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener.fileno()]))
        connection.sendmsg([orjson.dumps(hello) + b"\n"], [] if leaving.is_set() else [rights])
        supervisors.append(connection)
        if leaving.is_set() and not hello["leaving"]:
            leave()  # told to while it greeted


def watch():
    """Follow the snapshots as a worker does, whatever happens to the supervisor."""
    while True:
        try:
            control = socket.socket(socket.AF_UNIX)
            control.connect(spec["control_socket"])
            request = f"GET /watch?generation={spec['generation']} HTTP/1.1\r\nhost: x\r\n\r\n"
            control.sendall(request.encode())
            while control.recv(65536):
                pass
        except OSError:
            pass
        time.sleep(0.1)


def answer():
    body = orjson.dumps({"service": "codexia", "generation": spec["generation"]})
    head = f"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    while True:
        try:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(head.encode() + body)
        except OSError:
            time.sleep(0.01)


def leave(*_):
    leaving.set()
    for connection in supervisors:
        with suppress(BrokenPipeError):  # one that has ended
            connection.sendall(b'{"leaving":true}\n')


signal.signal(signal.SIGUSR1, leave)
signal.signal(signal.SIGTERM, lambda *_: leave() if mode == "stubborn" else os._exit(0))
listener.setblocking(True)
for target in (greet, answer, *[watch] * (0 if mode == "mute" else spec["workers"])):
    threading.Thread(target=target, daemon=True).start()
while True:
    signal.pause()
