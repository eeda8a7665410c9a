"""The property list says what was meant, whatever characters paths and values have."""

from __future__ import annotations

import plistlib
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given

from codexia.daemon.launchd import environment_in, render_agent
from tests.daemon.test_systemd_unit import program, programs

if TYPE_CHECKING:
    from codexia.daemon.program import Program


@given(programs)
def test_what_is_read_back_is_what_was_meant(meant: Program):
    agent = plistlib.loads(render_agent(meant))
    assert agent["ProgramArguments"] == list(meant.argv)
    assert agent["EnvironmentVariables"] == meant.environment
    assert environment_in(render_agent(meant)) == meant.environment


def test_workers_survive_the_supervisor_and_it_is_kept_alive():
    agent = plistlib.loads(render_agent(program()))
    assert agent["Label"] == "com.codexia.daemon"
    assert agent["RunAtLoad"] is True
    assert agent["KeepAlive"] is True
    assert agent["AbandonProcessGroup"] is True
    assert agent["Umask"] == 0o077
    assert agent["ExitTimeOut"] > 30, "open streams have 30 s to finish"
    assert Path(agent["StandardErrorPath"]) == program().log_file
