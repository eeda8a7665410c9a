"""The gateway of this home: its supervisor, workers, port and sockets."""

from __future__ import annotations

import errno
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import orjson

from codexia import __version__
from codexia.doctor.finding import Finding, worst_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codexia.control import SupervisorStatus
    from codexia.doctor.subject import Subject

PROBE_TIMEOUT_S = 2.0


def check_gateway(subject: Subject) -> list[Finding]:
    """Return whether a gateway runs, of which version, and what it says is wrong."""
    running = subject.running
    if running is None:
        if subject.silence:
            advice = "end its process and start it again"
            return [Finding("gateway", "broken", subject.silence, advice)]
        advice = "start one: `codexia serve`, or `codexia daemon install` for good"
        return [Finding("gateway", "warning", "none runs for this home", advice)]
    what = f"{running.version}, process {running.pid}"
    if running.version != __version__:
        found = f"{what}, but the installed version is {__version__}"
        return [Finding("gateway", "warning", found, "restart it")]
    return [Finding("gateway", "ok", what)]


def check_problems(subject: Subject) -> list[Finding]:
    """Return what the supervisor reports, a finding each."""
    running = subject.running
    if running is None:
        return []
    told = [each for each in running.problems if each != running.login_hint]
    return [Finding("problem", "warning", each, "see the log of the gateway") for each in told]


def check_workers(subject: Subject) -> list[Finding]:
    """Return whether a generation serves, with all its workers following the settings."""
    running = subject.running
    if running is None:
        return []
    found = ", ".join(
        f"generation {each.generation}: {each.workers} {each.state}" for each in running.generations
    )
    if any(each.state == "ready" for each in running.generations):
        return [Finding("workers", "ok", found)]
    advice = "wait a moment; if that does not help, see the log of the gateway"
    return [Finding("workers", "broken", found or "there are none", advice)]


def check_port(subject: Subject) -> list[Finding]:
    """Return whether the port is ours, or free for us."""
    if subject.running is not None:
        return [_of_served(subject.running)]
    host, port = subject.settings.bind_host, subject.settings.bind_port
    try:
        taken = port != 0 and _is_taken(host, port)
    except OSError as error:
        found = f"{host} cannot be listened on: {error.strerror or error}"
        return [Finding("port", "broken", found, "correct bind_host")]
    if not taken:
        return [Finding("port", "ok", f"{host}:{port} is free")]
    who = "another codexia" if _health(host, port) else _holder(port)
    advice = "end that program, or choose another port: `codexia serve --bind HOST:PORT`"
    return [Finding("port", "broken", f"{host}:{port} is held by {who}", advice)]


def check_sockets(subject: Subject) -> list[Finding]:
    """Return which sockets a killed gateway has left."""
    directory = subject.home.socket_dir
    paths = sorted(directory.glob("*.sock")) if directory.is_dir() else []
    stale = [path for path in paths if _is_dead(path)]
    advice = "the next `codexia serve` takes it away"
    findings = [Finding("sockets", "warning", f"nobody serves {path}", advice) for path in stale]
    return worst_of("sockets", findings, "each has a process behind it" if paths else "none")


def _of_served(running: SupervisorStatus) -> Finding:
    host, _, port = running.bind.rpartition(":")
    if _health(host.strip("[]"), int(port)):
        return Finding("port", "ok", f"the gateway answers at http://{running.bind}")
    advice = "see the log of the gateway, and restart it"
    return Finding("port", "broken", f"nothing answers at http://{running.bind}", advice)


def _health(host: str, port: int) -> bool:
    """Return whether a codexia answers there."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/health"
    try:
        reply = httpx.get(url, timeout=PROBE_TIMEOUT_S, trust_env=False)
        return orjson.loads(reply.content)["service"] == "codexia"
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return False


def _is_taken(host: str, port: int) -> bool:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise
    return False


def _holder(port: int) -> str:
    """Return the process that listens on a port, as far as this system tells that."""
    listening = _listening(port)
    for pid, link in _open_sockets():
        if link in listening:
            name = Path(f"/proc/{pid}/comm").read_text().strip()
            return f"process {pid} ({name})"
    return "another program"


def _listening(port: int) -> set[str]:
    """Return the sockets that listen on a port, as /proc names them."""
    found: set[str] = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and int(local.rpartition(":")[2], 16) == port:
                found.add(f"socket:[{inode}]")
    return found


def _open_sockets() -> Iterator[tuple[str, str]]:
    """Give process and socket of everything that this user may look into."""
    for descriptors in Path("/proc").glob("[0-9]*/fd"):
        try:
            for descriptor in descriptors.iterdir():
                yield descriptors.parent.name, str(descriptor.readlink())
        except OSError:
            continue  # of another user, or gone


def _is_dead(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_TIMEOUT_S)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False
