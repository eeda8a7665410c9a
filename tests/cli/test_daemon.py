"""`codexia daemon`: what it tells systemd, and what it says where there is none that answers."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest
import typer.main

from codexia.cli.daemon import app
from tests.cli.command import assert_one_line_error, codexia
from tests.daemon.programs import SYSTEMCTL, Programs

COMMANDS = typer.main.get_command(app).commands
README = (Path(__file__).parent.parent.parent / "README.md").read_text()


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """A system whose programs do nothing but what they are told here."""
    (tmp_path / "bin").mkdir()
    programs = Programs(tmp_path / "bin")
    programs.add("systemctl", SYSTEMCTL)
    programs.add("loginctl", "print('no')")
    monkeypatch.setenv("PATH", str(programs.directory))
    return programs


@pytest.fixture
def unit(scratch_home: Path) -> Path:
    return scratch_home / ".config" / "systemd" / "user" / "codexia.service"


def test_install_writes_reloads_and_enables_once(
    programs: Programs, unit: Path, scratch_home: Path
):
    done = codexia(
        "daemon", "install", "--bind", "127.0.0.1:1", "--api-key", "canary", "-v",
        HTTPS_PROXY="http://u:canary@h:1", CODEXIA_MODEL_FALLBACK="gpt-5.4",
    )  # fmt: skip
    assert done.returncode == 0, done
    assert "next: `codexia daemon start`" in done.stdout
    assert "loginctl enable-linger" in done.stdout
    assert "HTTPS_PROXY holds a password" in done.stderr
    assert "CODEXIA_MODEL_FALLBACK=gpt-5.4" in unit.read_text()
    for told in (unit.read_text(), done.stdout, done.stderr, *programs.calls):
        assert "canary" not in told
    saved = orjson.loads((scratch_home / ".codexia" / "config.json").read_bytes())
    assert saved == {
        "bind_host": "127.0.0.1", "bind_port": 1, "api_key": "canary", "log_level": "info"
    }  # fmt: skip
    ours = ["systemctl --user daemon-reload", "systemctl --user --quiet enable codexia.service"]
    assert [call for call in programs.calls if "show" not in call] == ours

    programs.forget()
    again = codexia("daemon", "install", CODEXIA_MODEL_FALLBACK="gpt-5.4")
    assert "already installed" in again.stdout
    assert "systemctl --user daemon-reload" not in programs.calls


def test_the_key_of_the_environment_is_saved_too(
    programs: Programs, unit: Path, scratch_home: Path
):
    assert codexia("daemon", "install", CODEXIA_API_KEY="canary").returncode == 0
    assert "canary" not in unit.read_text()
    saved = orjson.loads((scratch_home / ".codexia" / "config.json").read_bytes())
    assert saved == {"api_key": "canary"}


def test_the_configuration_directory_may_be_elsewhere(programs: Programs, tmp_path: Path):
    assert codexia("daemon", "install", XDG_CONFIG_HOME=str(tmp_path / "etc")).returncode == 0
    assert (tmp_path / "etc" / "systemd" / "user" / "codexia.service").exists()


def test_a_wrong_setting_installs_nothing(programs: Programs, unit: Path):
    done = codexia("daemon", "install", "--bind", "0.0.0.0:1")
    assert_one_line_error(done, "api_key")
    assert not unit.exists()


def test_who_lingers_gets_no_hint(programs: Programs):
    programs.add("loginctl", "print('yes')")
    assert "linger" not in codexia("daemon", "install").stdout


@pytest.mark.parametrize("command", ["install", "start", "stop", "restart", "status", "uninstall"])
def test_a_systemd_that_does_not_answer_is_explained(programs: Programs, command: str):
    programs.add("systemctl", "sys.exit('Failed to connect to bus: No medium found')")
    done = codexia("daemon", command, XDG_RUNTIME_DIR="")
    assert_one_line_error(done, "your systemd does not answer", "Failed to connect to bus")
    assert "codexia serve" in done.stderr or "XDG_RUNTIME_DIR" in done.stderr


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_no_systemd_is_explained(programs: Programs, command: str):
    (programs.directory / "systemctl").unlink()
    assert_one_line_error(codexia("daemon", command), "no systemd here", "`codexia serve`")


def test_what_is_not_installed_is_told(programs: Programs):
    assert codexia("daemon", "status").returncode == 4
    assert_one_line_error(codexia("daemon", "start"), "codexia daemon install")
    assert_one_line_error(codexia("daemon", "restart"), "codexia daemon install")
    for command in ("stop", "uninstall"):
        done = codexia("daemon", command)
        assert (done.returncode, done.stdout) == (0, "it is not installed\n")


def test_an_installed_service_that_does_not_run(programs: Programs):
    codexia("daemon", "install")
    done = codexia("daemon", "status")
    assert done.returncode == 3
    assert "next: codexia daemon start" in done.stdout.splitlines()
    told = orjson.loads(codexia("daemon", "status", "--json").stdout)
    assert told["service"]["activity"] == "inactive"
    assert told["supervisor"] is None


def test_logs_are_those_of_the_journal(programs: Programs):
    programs.add("journalctl", "print('a line'); sys.exit(7)")
    done = codexia("daemon", "logs", "-n", "3", "-f")
    assert (done.returncode, done.stdout) == (7, "a line\n")
    assert programs.calls == [
        "journalctl --user --unit=codexia.service --lines=3 --no-pager --follow"
    ]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_readme_tells_each_command_and_its_options(name: str):
    [told] = re.findall(rf"^\| `codexia daemon {name}` \| (.*) \|$", README, re.MULTILINE)
    options = {
        "-v" if "-v" in parameter.opts else parameter.opts[0] for parameter in COMMANDS[name].params
    }
    assert options == {each for each in re.findall(r"`([^`]+)`", told) if each.startswith("-")}
