"""`codexia doctor`: every broken state made for real, and what it says of each."""

from __future__ import annotations

import os
import re
import resource
import socket
import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from codexia.doctor.host import satisfies, space
from codexia.paths import Home
from tests.cli.command import codexia
from tests.cli.doctor_report import Doctor
from tests.e2e.processes import Gateway, log_in, running_gateway, wait_until, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.processes import Simulator


@pytest.fixture(scope="module")
def gateway(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("gateway")
    log_in(home, simulator)
    with running_gateway(home, simulator, "--workers", "2") as gateway:
        yield gateway


def test_healthy_gateway(gateway: Gateway, simulator: Simulator):
    seen = Doctor(gateway.home, simulator, "1")
    began = time.monotonic()
    assert set(seen.states().values()) == {"ok"}
    assert time.monotonic() - began < 10
    found = {each["name"]: each["found"] for each in seen.report()}
    assert re.fullmatch(r"its token ends in 9d 23h", found["login"])
    assert f"process {gateway.popen.pid}" in found["gateway"]
    assert found["workers"] == "generation 1: 2 ready"
    assert found["port"] == f"the gateway answers at {gateway.url}"
    assert re.fullmatch(r"the backend takes the login; \d+ models", found["account"])
    assert "answers in" in found["backend"]
    assert "answers in" in found["login server"]


def test_lines_for_people_are_plain_in_a_pipe(gateway: Gateway, simulator: Simulator):
    seen = Doctor(gateway.home, simulator, "1")
    done = codexia("doctor", **seen.environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert all(line[0] in "✓!✗ " for line in done.stdout.splitlines())
    assert done.stdout.startswith("✓ login         its token ends in ")


def test_advice_stands_below(doctor: Doctor):
    (doctor.home / "auth.json").unlink()
    done = codexia("doctor", **doctor.environment)
    assert done.returncode == 1
    first, second = done.stdout.splitlines()[:2]
    assert first.startswith("✗ login         not logged in")
    assert second == "                run `codexia login`"


def test_warnings_are_no_failure(doctor: Doctor):
    done = codexia("doctor", **doctor.environment)
    assert done.returncode == 0
    assert "! gateway       none runs for this home" in done.stdout


def test_nothing_is_changed(doctor: Doctor):
    def snapshot() -> dict[str, Any]:
        return {
            str(path): (path.stat().st_mode, path.read_bytes() if path.is_file() else None)
            for path in doctor.home.rglob("*")
        }

    before = snapshot()
    doctor.report()
    assert snapshot() == before


def edit_login(doctor: Doctor, **changes: Any) -> None:
    path = doctor.home / "auth.json"
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), **changes}))


def test_expired_login_that_can_be_refreshed_is_fine(doctor: Doctor):
    edit_login(doctor, expires_at=int(time.time()) - 60)
    state, found, _ = doctor.finding("login")
    assert (state, "refreshed when the gateway starts" in found) == ("ok", True)


@pytest.mark.parametrize(("left_s", "state"), [(-60, "broken"), (86_400, "warning")])
def test_login_without_a_refresh_token(doctor: Doctor, left_s: int, state: str):
    edit_login(doctor, expires_at=int(time.time()) + left_s, refresh_token="")
    seen, found, advice = doctor.finding("login")
    assert (seen, advice) == (state, "run `codexia login`")
    assert "cannot be refreshed" in found


def test_login_that_makes_none(doctor: Doctor):
    (doctor.home / "auth.json").write_text("{")
    state, found, advice = doctor.finding("login")
    assert (state, advice) == ("broken", "run `codexia login`")
    assert "not valid JSON" in found


def test_login_that_the_authority_refused_for_good(doctor: Doctor, simulator: Simulator):
    fault = {"fault": {"kind": "refresh_token_invalidated"}}
    simulator.http.post("/simulator/oauth-faults", json=fault).raise_for_status()
    assert codexia("refresh", **doctor.environment).returncode == 1
    state, found, _ = doctor.finding("login")
    assert state == "warning"
    assert found.startswith("the login was revoked (refresh_token_invalidated); its token ends")
    edit_login(doctor, expires_at=int(time.time()) - 60)
    assert doctor.finding("login")[0] == "broken"


def test_broken_settings(doctor: Doctor):
    (doctor.home / "config.json").write_text('{"workers": "many"}')
    state, found, _ = doctor.finding("settings")
    assert state == "broken"
    assert "workers" in found


def test_unknown_and_pinned_settings(doctor: Doctor):
    write_config(doctor.home, bind_prot=1)
    assert "bind_prot" in doctor.finding("settings")[1]
    write_config(doctor.home)
    state, found, _ = doctor.finding("settings")
    assert state == "ok"
    assert "bind_port by CODEXIA_BIND_PORT" in found


@pytest.mark.parametrize(
    ("name", "mode", "state", "advice"),
    [
        ("auth.json", 0o640, "broken", "chmod 600 "),
        ("config.json", 0o604, "warning", "chmod 600 "),
        ("state.db", 0o644, "warning", "chmod 600 "),
        (".", 0o750, "warning", "chmod 700 "),
    ],
)
def test_what_others_can_open(doctor: Doctor, name: str, mode: int, state: str, advice: str):
    write_config(doctor.home)
    (doctor.home / "config.json").chmod(0o600)
    path = doctor.home / name
    if name == "state.db":
        path.touch()
    path.chmod(mode)
    seen, found, told = doctor.finding("permissions")
    assert (seen, told) == (state, f"{advice}{path.resolve() if name == '.' else path}")
    assert f"(mode {mode:o})" in found


def test_link_that_leads_nowhere(doctor: Doctor):
    path = doctor.home / "auth.json"
    path.unlink()
    path.symlink_to(doctor.home / "gone.json")
    state, found, _ = doctor.finding("permissions")
    assert (state, "which does not exist" in found) == ("broken", True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_file_of_somebody_else(doctor: Doctor):
    os.chown(doctor.home / "auth.json", 12345, 12345)
    state, found, advice = doctor.finding("permissions")
    assert (state, "belongs to user 12345" in found) == ("broken", True)
    assert advice.startswith("sudo chown ")


def test_port_of_another_program(doctor: Doctor, port: str):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", int(port)))
        other.listen()
        state, found, advice = doctor.finding("port")
    assert (state, "--bind" in advice) == ("broken", True)
    assert found == f"127.0.0.1:{port} is held by process {os.getpid()} (python)" or (
        f"process {os.getpid()} (" in found
    )


def test_port_of_another_codexia(doctor: Doctor, gateway: Gateway):
    state, found, _ = doctor.finding("port", CODEXIA_BIND_PORT=gateway.url.rpartition(":")[2])
    assert (state, found.endswith("is held by another codexia")) == ("broken", True)


def test_socket_that_a_killed_gateway_left(doctor: Doctor):
    home = Home(doctor.home)
    home.create()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(home.control_socket))
    state, found, _ = doctor.finding("sockets")
    assert (state, found) == ("warning", f"nobody serves {home.control_socket}")


def test_supervisor_that_does_not_answer(doctor: Doctor):
    home = Home(doctor.home)
    home.create()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(home.control_socket))
        silent.listen()
        state, found, _ = doctor.finding("gateway")
    assert (state, "does not answer" in found) == ("broken", True)


def test_problem_that_the_gateway_reports(gateway: Gateway, simulator: Simulator):
    (gateway.home / "config.json").write_text("{")
    wait_until(lambda: gateway.status()["problems"], "the broken file is noticed")
    seen = Doctor(gateway.home, simulator, "1")
    assert seen.states()["settings"] == "broken"
    assert seen.states()["problem"] == "warning"
    write_config(gateway.home)
    (gateway.home / "config.json").chmod(0o600)
    wait_until(lambda: not gateway.status()["problems"], "the repaired file is noticed")


def test_few_open_files(doctor: Doctor):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    try:
        state, found, advice = doctor.finding("open files")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert (state, found) == ("warning", "limit 256: up to 96 streams a worker")
    assert "ulimit -n" in advice


@pytest.mark.parametrize(("free_mb", "state"), [(5, "broken"), (100, "warning"), (9000, "ok")])
def test_room_on_the_disk(tmp_path: Path, free_mb: int, state: str):
    assert space(tmp_path, free_mb).state == state


@pytest.mark.parametrize(
    ("version", "limits", "kept"),
    [
        ("1.0.1", ">=1.0.1", True),
        ("1.0.0", ">=1.0.1", False),
        ("2.9.0", "<2.9,>=2.8.7", False),
        ("2.8.10", "<2.9,>=2.8.7", True),
        ("2.0", "==2.0.0", True),
    ],
)
def test_version_limits(version: str, limits: str, kept: bool):
    assert satisfies(version, limits) == kept


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ANTHROPIC_BASE_URL", "http://127.0.0.1:14550/v1"),
        ("OPENAI_BASE_URL", "http://localhost:14550"),
    ],
)
def test_base_addresses_that_end_wrongly(doctor: Doctor, variable: str, value: str):
    state, found, _ = doctor.finding("clients", **{variable: value})
    assert (state, found.split()[0]) == ("warning", variable)
    right = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:1", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    assert "clients" not in doctor.states(**right)
