"""Real supervisor processes with stand-in generations: start, swap, crash, adoption, stop."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from codexia_supervisor.ending import STOP_GRACE_S
from tests.supervisor.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.supervisor.conftest import Running

    Supervise = Callable[..., Running]


def test_serves_without_a_login_and_says_so(supervise: Supervise) -> None:
    running = supervise("bind_port=0")
    status = running.ready(1)
    assert not status.logged_in
    assert running.served_by() == 1
    assert f"listening on http://{status.bind}\n" in running.log()
    assert "not logged in; run `codexia login`" in running.log()


def test_killed_supervisor_is_succeeded_without_a_restart_of_workers(
    supervise: Supervise,
) -> None:
    running = supervise("bind_port=0")
    before = running.ready(1)
    running.kill()
    assert httpx.get(f"http://{before.bind}/health", trust_env=False).status_code == 200
    running.start()
    after = running.ready(1)
    assert after.pid != before.pid
    assert after.generations[0].pid == before.generations[0].pid
    assert after.bind == before.bind
    assert after.revision > before.revision


def test_adopted_generation_that_dies_is_replaced_on_the_same_socket(supervise: Supervise) -> None:
    running = supervise("bind_port=0")
    running.ready(1)
    running.kill()
    running.start()
    before = running.ready(1)
    os.kill(before.generations[0].pid, signal.SIGKILL)
    after = running.ready(2)
    assert after.bind == before.bind
    assert running.served_by() == 2


def test_supervisor_killed_right_after_it_spawned_finds_the_generation(
    supervise: Supervise, free_port: int
) -> None:
    running = supervise(f"bind_port={free_port}")
    running.ready(1)
    running.behave("slow")
    running.configure(workers=3)
    status = running.when(lambda status: len(status.generations) == 2, "second generation")
    os.kill(status.generations[0].pid, signal.SIGKILL)
    running.kill()
    running.start()
    assert running.ready(2).generations[0].pid == status.generations[1].pid


def test_new_worker_count_brings_a_new_generation_before_the_old_one_goes(
    supervise: Supervise,
) -> None:
    running = supervise("bind_port=0")
    before = running.ready(1)
    running.configure(workers=before.generations[0].workers + 1)
    both = running.when(
        lambda status: [each.state for each in status.generations] == ["draining", "ready"],
        "old generation drains beside the ready one",
    )
    assert running.snapshot().drain_before == 2
    assert both.bind == before.bind
    assert running.ready(2).generations[0].workers == before.generations[0].workers + 1
    with pytest.raises(ProcessLookupError):
        os.kill(before.generations[0].pid, 0)


def test_other_settings_are_live_without_a_new_generation(supervise: Supervise) -> None:
    running = supervise("bind_port=0")
    before = running.ready(1)
    running.configure(ping_interval_s=3)
    running.when(lambda status: status.revision > before.revision, "new revision")
    assert running.snapshot().ping_interval_s == 3
    assert [each.generation for each in running.ready().generations] == [1]


def test_new_port_is_served_and_the_old_one_given_up(supervise: Supervise, free_port: int) -> None:
    running = supervise()
    running.configure(bind_port=0)
    # The default port of the first start may be taken on this host; the edit decides.
    running.configure(bind_port=free_port)
    status = running.when(
        lambda status: (
            status.bind == f"127.0.0.1:{free_port}"
            and [each.state for each in status.generations] == ["ready"]
        ),
        "serving on the new port",
    )
    assert running.snapshot().bind_port == free_port
    assert running.served_by() == status.generations[0].generation


def test_new_port_that_is_taken_leaves_the_old_one_served(supervise: Supervise) -> None:
    running = supervise("bind_host=127.0.0.1")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        running.configure(bind_port=0)
        before = running.ready()
        running.configure(bind_port=other.getsockname()[1])
        status = running.when(lambda status: status.problems, "a problem")
        assert "it is in use" in status.problems[0]
        assert httpx.get(f"http://{before.bind}/health", trust_env=False).status_code == 200


def test_dead_generation_is_replaced_at_once(supervise: Supervise) -> None:
    running = supervise("bind_port=0")
    before = running.ready(1)
    os.kill(before.generations[0].pid, signal.SIGKILL)
    assert running.ready(2).bind == before.bind
    assert "exit=SIGKILL" in running.log()


def test_generation_that_leaves_is_replaced_while_it_still_lives(supervise: Supervise) -> None:
    running = supervise("bind_port=0")
    leaving = running.ready(1).generations[0].pid
    os.kill(leaving, signal.SIGUSR1)
    running.when(
        lambda status: [each.state for each in status.generations] == ["leaving", "ready"],
        "replacement beside the leaving one",
    )
    os.kill(leaving, signal.SIGTERM)
    running.ready(2)


def test_refused_configuration_is_not_tried_again_until_it_changes(supervise: Supervise) -> None:
    running = supervise("bind_port=0")
    running.ready(1)
    running.behave("refuse")
    running.configure(workers=3)
    status = running.when(lambda status: status.problems, "a problem")
    assert "refuse the configuration" in status.problems[0]
    assert [each.generation for each in status.generations] == [1]
    running.behave("serve")
    running.configure(workers=4)
    running.ready(3)
    assert running.status().problems == ()


def test_crashing_generations_back_off_and_leave_the_old_one_serving(supervise: Supervise) -> None:
    running = supervise("bind_port=0")
    running.ready(1)
    running.behave("crash")
    started = time.monotonic()
    running.configure(workers=3)
    wait_until(lambda: running.log().count("generation failed") >= 4, "four failures")
    assert time.monotonic() - started > 0.2 + 0.4 + 0.8
    assert running.served_by() == 1
    running.behave("serve")
    running.configure(workers=2)
    running.ready()


def test_generation_that_never_serves_is_killed_once_and_replaced(supervise: Supervise) -> None:
    running = supervise("bind_port=0", "--start-timeout=1.5")
    running.ready(1)
    running.behave("mute")
    running.configure(workers=3)
    socket_file = running.home.socket_dir / "generation-2.sock"
    wait_until(socket_file.exists, "the mute one has begun")
    running.behave("serve")
    assert running.ready(3).generations[0].workers == 3
    assert running.log().count("generation killed generation=2") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_idle_supervisor_stops_soon_and_leaves_nothing(
    supervise: Supervise, number: signal.Signals
) -> None:
    running = supervise("bind_port=0")
    status = running.ready(1)
    started = time.monotonic()
    assert running.stop(number) == 0
    assert time.monotonic() - started < STOP_GRACE_S / 2
    with pytest.raises(ProcessLookupError):
        os.kill(status.generations[0].pid, 0)
    assert [path.name for path in running.home.run.iterdir()] == ["supervisor.lock"]


def is_nobodys(path: Path) -> bool:
    """Return whether a socket refuses who connects, which it does once its listener is dead."""
    with socket.socket(socket.AF_UNIX) as caller:
        return caller.connect_ex(str(path)) == errno.ECONNREFUSED


def test_generation_that_died_unseen_leaves_nothing(supervise: Supervise) -> None:
    running = supervise("bind_port=0")
    unseen = running.ready(1).generations[0].pid
    os.kill(unseen, signal.SIGSTOP)
    running.kill()
    unnamed = running.home.socket_dir / f"generation-9.{running.process.pid}"
    unnamed.touch()
    running.start()
    running.ready(2)
    os.kill(unseen, signal.SIGKILL)
    left = running.home.socket_dir / "generation-1.sock"
    wait_until(lambda: is_nobodys(left), "the kernel has closed what the killed one listened on")
    assert running.stop() == 0
    assert [path.name for path in running.home.run.iterdir()] == ["supervisor.lock"]


def test_running_streams_hold_up_the_first_signal_and_not_the_second(
    supervise: Supervise,
) -> None:
    running = supervise("bind_port=0")
    running.behave("stubborn")
    running.configure(workers=3)
    status = running.when(
        lambda status: [(g.workers, g.state) for g in status.generations] == [(3, "ready")],
        "the stubborn one",
    )
    running.process.send_signal(signal.SIGTERM)
    running.when(lambda status: status.generations[0].state == "leaving", "leaving")
    with pytest.raises(subprocess.TimeoutExpired):
        running.process.wait(0.5)
    assert running.stop() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(status.generations[0].pid, 0)


def test_hangup_reads_the_settings_again(supervise: Supervise) -> None:
    running = supervise("bind_port=0", "ping_interval_s=3")
    running.ready(1)
    running.process.send_signal(signal.SIGHUP)
    assert running.ready(1).problems == ()


def test_stop_over_the_control_api(supervise: Supervise) -> None:
    running = supervise("bind_port=0")
    running.ready(1)
    assert running.call("POST", "/stop").status_code == 202
    assert running.process.wait(10) == 0


def test_second_supervisor_of_a_home_names_the_first(supervise: Supervise) -> None:
    running = supervise("bind_port=0")
    status = running.ready(1)
    second = supervise("bind_port=0")
    assert second.process.wait(10) == 1
    assert f"already running here as process {status.pid}" in second.log()


def test_taken_port_is_an_error_that_says_who_has_it(supervise: Supervise) -> None:
    first = supervise("bind_port=0")
    port = first.ready(1).bind.rpartition(":")[2]
    second = supervise(f"bind_port={port}", home="other")
    assert second.process.wait(10) == 1
    assert "another codexia answers there" in second.log()


def test_wrong_settings_at_the_start_are_an_exit_code_of_their_own(supervise: Supervise) -> None:
    running = supervise("bind_host=0.0.0.0")
    assert running.process.wait(10) == os.EX_CONFIG
    assert "set an api_key first" in running.log()


def test_deep_home_is_served_and_adopted(supervise: Supervise, tmp_path: Path) -> None:
    running = supervise("bind_port=0", home="/".join(["deep" * 10] * 4))
    before = running.ready(1)
    running.kill()
    running.start()
    assert running.ready(1).generations[0].pid == before.generations[0].pid


def test_sockets_and_files_are_for_this_user_only(supervise: Supervise) -> None:
    running = supervise("bind_port=0")
    running.ready(1)
    for path in (running.home.run, *running.home.run.iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path
