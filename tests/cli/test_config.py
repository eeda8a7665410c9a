"""`codexia config`, by what it prints, what it saves and what a running gateway makes of it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import orjson
import pytest

from codexia.config import KEYS
from codexia.settings import Settings
from tests.cli.command import assert_one_line_error, codexia
from tests.e2e.live_gateway import LiveGateway, live_gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.processes import Simulator

SUBCOMMANDS = ("show", "get", "set", "unset", "edit", "path", "reset", "schema")


def config(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return codexia("config", *arguments, CODEXIA_HOME=str(home), **environment)


def answer(
    home: Path, *lines: str, arguments: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "codexia", "config", *arguments],
        env={**os.environ, "CODEXIA_HOME": str(home)},
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def saved(home: Path) -> dict[str, object]:
    return orjson.loads((home / "config.json").read_bytes())


@pytest.fixture(scope="module")
def gateway(
    simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveGateway]:
    home = tmp_path_factory.mktemp("live")
    with live_gateway(home, simulator, "--model-fallback", "gpt-6-luna", workers=1) as gateway:
        yield gateway


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_each_subcommand_has_help(name: str):
    done = codexia("config", name, "-h")
    assert done.returncode == 0
    assert f"codexia config {name}" in done.stdout


def test_show_tells_value_and_source_of_every_setting(tmp_path: Path):
    (tmp_path / "config.json").write_text('{"workers": 3, "api_key": "canary"}')
    done = config(tmp_path, "show", CODEXIA_LOG_LEVEL="info")
    assert done.returncode == 0, done
    told = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert list(told) == list(KEYS)
    assert told["workers"] == ["3", "config.json"]
    assert told["log_level"] == ["info", "environment"]
    assert told["bind_port"] == ["14550", "default"]
    assert "canary" not in done.stdout
    assert "canary" in config(tmp_path, "show", "--reveal").stdout


def test_show_as_json_without_a_gateway(tmp_path: Path):
    report = orjson.loads(config(tmp_path, "show", "--json").stdout)
    assert report["path"] == str(tmp_path / "config.json")
    assert report["settings"]["bind_port"] == {"value": 14550, "source": "default"}
    assert report["gateway"] is None


def test_set_get_and_unset(tmp_path: Path):
    done = config(tmp_path, "set", "model_aliases.fast", "gpt-6-luna")
    assert (done.returncode, done.stdout) == (0, "")
    assert "next start" in done.stderr
    assert config(tmp_path, "get", "model_aliases.fast").stdout == "gpt-6-luna\n"
    assert orjson.loads(config(tmp_path, "get", "model_aliases").stdout) == {"fast": "gpt-6-luna"}
    assert config(tmp_path, "get", "bind_host", "--json").stdout == '"127.0.0.1"\n'
    assert config(tmp_path, "unset", "model_aliases.fast").returncode == 0
    assert saved(tmp_path) == {}
    assert stat.S_IMODE((tmp_path / "config.json").stat().st_mode) == 0o600
    assert "nothing changed" in config(tmp_path, "unset", "model_aliases.fast").stderr


def test_wrong_key_or_value_is_one_line_and_saves_nothing(tmp_path: Path):
    assert_one_line_error(config(tmp_path, "set", "wrokers", "3"), "did you mean workers?")
    assert_one_line_error(config(tmp_path, "set", "workers", "99"), "workers", "64")
    assert_one_line_error(config(tmp_path, "get", "model_aliases.no"), "not set")
    assert not (tmp_path / "config.json").exists()


def test_secret_comes_by_standard_input_and_shows_only_when_revealed(tmp_path: Path):
    assert answer(tmp_path, "canary", arguments=("set", "api_key", "-")).returncode == 0
    assert saved(tmp_path) == {"api_key": "canary"}
    assert_one_line_error(config(tmp_path, "get", "api_key"), "--reveal")
    assert config(tmp_path, "get", "api_key", "--reveal").stdout == "canary\n"
    assert_one_line_error(answer(tmp_path, arguments=("set", "api_key", "-")), "nothing was saved")


def test_generated_key_is_printed_once(tmp_path: Path):
    done = config(tmp_path, "set", "api_keys.laptop", "--generate")
    assert saved(tmp_path) == {"api_keys": [{"name": "laptop", "key": done.stdout.strip()}]}
    assert len(done.stdout) > 30
    assert config(tmp_path, "set", "workers", "--generate").returncode == 2
    assert config(tmp_path, "set", "api_key").returncode == 2


def test_variable_of_the_shell_is_warned_of(tmp_path: Path):
    done = config(tmp_path, "set", "workers", "3", CODEXIA_WORKERS="2")
    assert "CODEXIA_WORKERS of this shell overrides workers" in done.stderr


def test_questions_save_what_was_answered(tmp_path: Path):
    (tmp_path / "config.json").write_text('{"api_key": "canary", "workers": 3}')
    done = answer(tmp_path, "", "many", "14551", "none", "", "gpt-6-sol", "")
    assert done.returncode == 0, done
    assert "canary" not in done.stdout
    assert "Local API key [********] (config.json): " in done.stdout
    assert "Bind port [14550] (default): " in done.stdout
    assert saved(tmp_path) == {"workers": 3, "bind_port": 14551, "model_fallback": "gpt-6-sol"}


def test_questions_insist_on_a_key_for_an_open_bind(tmp_path: Path):
    done = answer(tmp_path, "0.0.0.0", "", "", "generate", "", "", "")
    assert done.returncode == 0, done
    assert "set an api_key first" in done.stdout
    assert saved(tmp_path)["bind_host"] == "0.0.0.0"
    assert str(saved(tmp_path)["api_key"]) in done.stdout


def test_questions_that_are_not_all_answered_save_nothing(tmp_path: Path):
    assert_one_line_error(answer(tmp_path, "localhost", "1"), "nothing was saved")
    assert not (tmp_path / "config.json").exists()
    assert "nothing changed" in answer(tmp_path, *[""] * 6).stderr


def editor(tmp_path: Path, *texts: str) -> dict[str, str]:
    """Return an environment whose editor writes the next text at each start."""
    script = tmp_path / "editor.py"
    script.write_text(
        "import sys, os, stat\nfrom pathlib import Path\n"
        f"texts, count = {texts!r}, Path({str(tmp_path / 'count')!r})\n"
        "number = int(count.read_text()) if count.exists() else 0\n"
        "count.write_text(str(number + 1))\nfile = Path(sys.argv[1])\n"
        "assert stat.S_IMODE(file.stat().st_mode) == 0o600\n"
        f"Path({str(tmp_path / 'seen')!r}).write_text(f'{{file}}\\n{{file.read_text()}}')\n"
        "file.write_text(texts[number])\n"
    )
    return {"VISUAL": f"{sys.executable} {script}"}


def edit(home: Path, environment: dict[str, str], *lines: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "codexia", "config", "edit"],
        env={**os.environ, "CODEXIA_HOME": str(home), **environment},
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_edited_text_is_saved_once_it_is_right(tmp_path: Path):
    home = tmp_path / "home"
    texts = ('{"workers": 0}', '{"workers": 2 }\n')
    done = edit(home, editor(tmp_path, *texts), "y")
    assert done.returncode == 0, done
    assert "not saved" in done.stderr
    assert (home / "config.json").read_text() == texts[1]
    place, _, offered = (tmp_path / "seen").read_text().partition("\n")
    assert offered == texts[0], "the wrong text was not kept for the second try"
    assert not Path(place).parent.exists(), "the copy was left behind"


def test_given_up_edit_changes_nothing(tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.json").write_text('{"workers": 1}')
    done = edit(home, editor(tmp_path, "{"), "n")
    assert done.returncode == 1
    assert saved(home) == {"workers": 1}
    assert "nothing changed" in edit(home, {"EDITOR": "true"}).stderr
    assert_one_line_error(edit(home, {"EDITOR": "false"}), "false failed")
    assert_one_line_error(edit(home, {"EDITOR": "no-such-editor"}), "set EDITOR")


def test_path_and_reset(tmp_path: Path):
    assert config(tmp_path, "path").stdout == f"{tmp_path / 'config.json'}\n"
    assert config(tmp_path, "reset").returncode == 0
    (tmp_path / "config.json").write_text('{"workers": 1}')
    assert answer(tmp_path, "n", arguments=("reset",)).returncode == 1
    assert saved(tmp_path) == {"workers": 1}
    assert config(tmp_path, "reset", "--yes").returncode == 0
    assert not (tmp_path / "config.json").exists()
    assert (tmp_path / "config.json.bak").read_text() == '{"workers": 1}'


def test_schema_describes_every_setting(tmp_path: Path):
    schema = orjson.loads(config(tmp_path, "schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert list(schema["properties"]) == list(KEYS)
    for key, field in Settings.model_fields.items():
        assert schema["properties"][key]["description"] == field.description
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({"workers": 2, "api_keys": [{"name": "a", "key": "b"}]})
    assert not validator.is_valid({"workers": 0})


def test_running_gateway_has_a_change_in_force_when_the_command_ends(gateway: LiveGateway):
    done = config(gateway.home, "set", "models", "one-of-mine")
    assert "in force in the running gateway" in done.stderr, done
    assert gateway.call("GET", "/config")["values"]["models"] == {
        "value": ["one-of-mine"],
        "source": "config.json",
    }
    config(gateway.home, "unset", "models")


def test_running_gateway_tells_what_its_flags_pin(gateway: LiveGateway):
    done = config(gateway.home, "set", "model_fallback", "gpt-6-sol")
    assert "its command line pins it" in done.stderr, done
    status = gateway.status()
    assert status.pinned == {"model_fallback": "the command line"}
    assert status.sources["model_fallback"] == "flag"
    [warning] = status.config_warnings
    assert "model_fallback has no effect" in warning
    assert sum("model_fallback has no effect" in line for line in gateway.lines) == 1
    shown = config(gateway.home, "show").stdout
    assert "the running gateway has gpt-6-luna (flag)" in shown
    config(gateway.home, "unset", "model_fallback")
    assert gateway.status().config_warnings == ()


def test_running_gateway_takes_more_workers_before_the_command_ends(gateway: LiveGateway):
    done = config(gateway.home, "set", "workers", "2")
    assert "in force, workers serve at" in done.stderr, done
    assert len(gateway.worker_pids()) == 2


def test_running_gateway_that_cannot_have_the_port_says_so(
    gateway: LiveGateway, simulator: Simulator
):
    port = simulator.url.rpartition(":")[2]
    done = config(gateway.home, "set", "bind_port", port)
    assert f"127.0.0.1:{port}" in done.stderr, done
    assert "what ran before serves on" in done.stderr
    config(gateway.home, "set", "bind_port", "0")
