"""One supervisor after another in the same home, and the generations that outlast them."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from codexia.paths import Home
from codexia_supervisor import takeover
from codexia_supervisor.takeover import NotHandedOver, take_over

if TYPE_CHECKING:
    from collections.abc import Callable

    from codexia.control import SupervisorStatus
    from tests.supervisor.conftest import Running

    Supervise = Callable[..., Running]


def announce(running: Running, **message: bool) -> None:
    assert running.call("POST", "/handover", message).status_code == 202


def lives(pid: int) -> bool:
    """Return whether a process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def serves(status: SupervisorStatus) -> bool:
    return httpx.get(f"http://{status.bind}/health", trust_env=False).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_after_the_announcement_leaves_the_generations(
    supervise: Supervise, number: signal.Signals
) -> None:
    running = supervise("bind_port=0")
    before = running.ready(1)
    announce(running)
    assert running.status().pid == before.pid
    assert running.stop(number) == 0
    assert serves(before)
    running.start()
    after = running.ready(2)
    assert (after.bind, after.revision > before.revision) == (before.bind, True)
    assert "generation adopted generation=1" in running.log()


def test_handover_at_once_needs_no_signal(supervise: Supervise) -> None:
    running = supervise("bind_port=0")
    before = running.ready(1)
    announce(running, now=True)
    assert running.process.wait(10) == 0
    assert serves(before)
    running.start()
    running.ready(2)


def test_without_an_announcement_a_signal_ends_the_generations(supervise: Supervise) -> None:
    running = supervise("bind_port=0")
    before = running.ready(1)
    assert running.stop() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(before.generations[0].pid, 0)


def test_stop_after_the_announcement_is_a_stop(supervise: Supervise) -> None:
    running = supervise("bind_port=0")
    before = running.ready(1)
    announce(running)
    assert running.call("POST", "/stop").status_code == 202
    assert running.process.wait(10) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(before.generations[0].pid, 0)


def test_generations_are_renewed_once_and_adopted_after_a_kill(supervise: Supervise) -> None:
    running = supervise("bind_port=0")
    running.ready(1)
    announce(running, now=True)
    running.process.wait(10)
    running.start()
    renewed = running.ready(2).generations[0].pid
    running.kill()
    running.start()
    assert running.ready(2).generations[0].pid == renewed


def test_successor_that_dies_before_the_renewal_leaves_it_to_the_next(
    supervise: Supervise,
) -> None:
    running = supervise("bind_port=0")
    running.ready(1)
    announce(running, now=True)
    running.process.wait(10)
    running.behave("crash")
    running.start()
    running.when(lambda status: "generation failed generation=2" in running.log(), "a failure")
    assert running.served_by() == 1
    running.kill()
    running.behave("serve")
    running.start()
    running.when(
        lambda status: (
            [each.state for each in status.generations] == ["ready"]
            and status.generations[0].generation > 2
        ),
        "renewed after all",
    )


def test_order_of_a_later_start_is_not_upset_by_an_old_handover(supervise: Supervise) -> None:
    running = supervise("bind_port=0")
    running.ready(1)
    announce(running, now=True)
    running.process.wait(10)
    running.start()
    running.ready(2)
    running.stop()
    assert [path.name for path in running.home.run.iterdir()] == ["supervisor.lock"]
    running.start()
    running.ready(1)
    running.kill()
    running.start()
    running.ready(1)


def test_generation_that_still_leaves_is_seen_by_every_successor_and_stopped(
    supervise: Supervise,
) -> None:
    running = supervise("bind_port=0")
    running.ready(1)
    running.behave("stubborn")
    running.configure(workers=3)
    running.ready(2)
    for successor in (3, 4):
        announce(running, now=True)
        assert running.process.wait(10) == 0
        running.start()
        expected = [*[(number, "leaving") for number in range(2, successor)], (successor, "ready")]
        status = running.when(
            lambda status, expected=expected: (
                [(each.generation, each.state) for each in status.generations] == expected
            ),
            "the old ones finish their streams beside the new one",
        )
    running.process.send_signal(signal.SIGTERM)
    running.when(lambda status: status.generations[-1].state == "leaving", "it stops")
    assert running.stop() == 0
    assert not any(lives(each.pid) for each in status.generations)
    assert [path.name for path in running.home.run.iterdir()] == ["supervisor.lock"]


def test_other_settings_of_the_successor_hold_for_the_new_generation(
    supervise: Supervise,
) -> None:
    running = supervise("bind_port=0")
    workers = running.ready(1).generations[0].workers
    announce(running, now=True)
    running.process.wait(10)
    running.configure(workers=workers + 1)
    running.start()
    assert running.ready(2).generations[0].workers == workers + 1


def test_replacing_takes_over_from_whoever_runs(supervise: Supervise) -> None:
    running = supervise("bind_port=0")
    before = running.ready(1)
    successor = supervise("bind_port=0", "--replace")
    assert running.process.wait(10) == 0
    after = successor.ready(2)
    assert (after.pid, after.bind) == (successor.process.pid, before.bind)


def test_other_version_takes_over_with_generations_of_its_own(supervise: Supervise) -> None:
    running = supervise("bind_port=0", "--version=1.0")
    before = running.ready(1)
    newer = supervise("bind_port=0", "--version=2.0", "--replace")
    after = newer.ready(2)
    assert (before.version, after.version, after.bind) == ("1.0", "2.0", before.bind)
    older = supervise("bind_port=0", "--version=1.0", "--replace")
    assert older.ready(3).version == "1.0"


def test_killed_version_is_succeeded_by_generations_of_the_next(supervise: Supervise) -> None:
    running = supervise("bind_port=0", "--version=1.0")
    running.ready(1)
    running.kill()
    assert supervise("bind_port=0", "--version=2.0").ready(2).version == "2.0"


def test_replacing_nobody_is_a_start(supervise: Supervise) -> None:
    supervise("bind_port=0", "--replace").ready(1)


def test_refusal_of_a_second_supervisor_mentions_the_takeover(supervise: Supervise) -> None:
    running = supervise("bind_port=0")
    running.ready(1)
    second = supervise("bind_port=0")
    assert second.process.wait(10) == 1
    assert "--replace" in second.log()


def test_whoever_does_not_hand_over_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeover, "TIMEOUT_S", 0.2)
    home = Home(tmp_path)
    home.create()
    with home.lock_file.open("w") as lock:
        lock.write("4711\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(NotHandedOver, match="process 4711 did not hand over within"):
            take_over(home)


def test_supervisor_that_knows_no_handover_is_left_alone(
    tmp_path: Path, old_supervisor: Callable[[Home], None]
) -> None:
    home = Home(tmp_path)
    home.create()
    old_supervisor(home)
    with pytest.raises(NotHandedOver, match="of a version that cannot hand over; stop it"):
        take_over(home)


@pytest.fixture
def old_supervisor(request: pytest.FixtureRequest) -> Callable[[Home], None]:
    """Run something that has the lock and answers 404 to every call."""

    def start(home: Home) -> None:
        script = (
            "import fcntl, socket, sys\n"
            "lock = open(sys.argv[1], 'w'); fcntl.flock(lock, fcntl.LOCK_EX)\n"
            "lock.write('4711'); lock.flush()\n"
            "server = socket.socket(socket.AF_UNIX); server.bind(sys.argv[2]); server.listen()\n"
            "print('up', flush=True)\n"
            "while True:\n"
            "    connection, _ = server.accept()\n"
            "    connection.recv(65536)\n"
            "    connection.sendall(b'HTTP/1.1 404 Not Found\\r\\ncontent-length: 2\\r\\n\\r\\n{}')\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", script, home.lock_file, home.control_socket],
            stdout=subprocess.PIPE,
        )
        request.addfinalizer(process.wait)
        request.addfinalizer(process.kill)
        assert process.stdout
        with process.stdout as output:
            assert output.readline() == b"up\n"

    return start
