"""The unit says what was meant, whatever characters paths and values have."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexia.daemon.error import DaemonError
from codexia.daemon.program import Program
from codexia.daemon.systemd import environment_in, render_unit
from tests.daemon.unit_file import command, directives, values, words

NASTY = r"""/a b/"q"/'s'/100%/%h/$HOME/${X}/back\slash/\n/;/#/üß/　"""

texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), max_size=30)
executables = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Cn"], exclude_characters="\"'\\")
)
programs = st.builds(
    Program,
    st.tuples(executables.map(lambda text: f"/{text}"), st.just("serve")),
    st.dictionaries(st.from_regex(r"[A-Z][A-Z_]{0,8}", fullmatch=True), texts, max_size=4),
    st.just(Path("/log")),
)


def program(path: str = "/usr/bin/codexia", **environment: str) -> Program:
    return Program((path, "serve"), environment, Path("/log"))


@given(programs)
def test_what_is_read_back_is_what_was_meant(meant: Program):
    unit = render_unit(meant)
    [start] = values(unit, "ExecStart")
    assert command(start) == list(meant.argv)
    read = [words(value) for value in values(unit, "Environment")]
    assert all(len(each) == 1 for each in read)
    assert dict(each[0].split("=", 1) for each in read) == meant.environment


@given(programs)
def test_the_environment_of_a_unit_can_be_told(meant: Program):
    assert environment_in(render_unit(meant)) == meant.environment


@pytest.mark.parametrize("text", ["/new\nline", "/bell\a", "/\ud800", "/\ufffe"])
def test_what_a_unit_cannot_hold_is_refused(text: str):
    with pytest.raises(DaemonError, match="choose another path"):
        program(text)
    with pytest.raises(DaemonError, match="choose another path"):
        program(CODEXIA_HOME=text)


@pytest.mark.parametrize("path", ["/a'b", '/a"b', "/a\\b"])
def test_an_executable_that_systemd_does_not_take_is_refused(path: str):
    with pytest.raises(DaemonError, match="install Codexia elsewhere"):
        render_unit(program(path))


def test_workers_survive_the_supervisor_and_it_never_gives_up():
    found = {(section, name): value for section, name, value in directives(render_unit(program()))}
    service = {name: value for (section, name), value in found.items() if section == "Service"}
    assert service["KillMode"] == "process"
    assert service["Type"] == "notify"
    assert service["NotifyAccess"] == "main"
    assert service["Restart"] == "always"
    assert service["RestartSec"] == "1"
    assert found["Unit", "StartLimitIntervalSec"] == "0"
    assert found["Install", "WantedBy"] == "default.target"
    assert int(service["TimeoutStopSec"]) > 30, "open streams have 30 s to finish"
    assert "PrivateTmp" not in service, "the sockets of a deep home are in /tmp"


@pytest.mark.parametrize(
    ("code", "status", "waits"),
    [
        ("exited", "78", True),
        ("exited", "1", True),
        ("exited", "0", False),
        ("killed", "KILL", False),
    ],
)
def test_only_a_deliberate_failure_is_waited_after(
    tmp_path: Path, code: str, status: str, waits: bool
):
    [value] = values(render_unit(program()), "ExecStopPost")
    shell, *arguments = words(value)
    sleep = tmp_path / "sleep"
    sleep.write_text(f"#!/bin/sh\necho $1 > {tmp_path}/slept\n")
    sleep.chmod(0o755)
    subprocess.run(
        [shell, *(argument.replace("$$", "$") for argument in arguments)],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "EXIT_CODE": code, "EXIT_STATUS": status},
        check=True,
    )
    assert (tmp_path / "slept").exists() == waits


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("name", ["plain", "a b%%h100%$HOME${X};ü"])
def test_systemd_finds_no_fault(tmp_path: Path, name: str):
    executable = tmp_path / name
    executable.write_text("#!/bin/sh\n")
    executable.chmod(0o755)
    unit = tmp_path / "codexia.service"
    unit.write_text(render_unit(program(str(executable), CODEXIA_HOME=NASTY)))
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(unit)],
        env={"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
