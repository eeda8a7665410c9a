"""Which opponents take part, and how they are started: scratch folders and loopback only."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.opponents import find
from bench.opponents.opponent import Login, Site
from bench.opponents.package import Installed
from bench.opponents.roster import OPPONENTS, RECORD

SIMULATOR = "http://127.0.0.1:7777"
LOGIN = Login(
    access_token="access",
    refresh_token="refresh",
    id_token="id",
    expires_at=2_000_000_000,
    account_id="account",
)


@pytest.fixture
def directory(tmp_path):
    """A directory with one installed opponent."""
    folder = tmp_path / "opponents" / "chatmock"
    folder.mkdir(parents=True)
    record = Installed(package="chatmock", version="1.40", runtime="python 3.11.7")
    (folder / RECORD).write_text(record.model_dump_json())
    return tmp_path / "opponents"


def test_all_are_absent_by_name_where_no_directory_is_named(monkeypatch):
    monkeypatch.delenv("CODEXIA_BENCH_OPPONENTS", raising=False)
    found, absent = find(None)
    assert found == []
    assert absent == dict.fromkeys(OPPONENTS, "not installed")


def test_directory_comes_from_the_environment(monkeypatch, directory):
    monkeypatch.setenv("CODEXIA_BENCH_OPPONENTS", str(directory))
    found, absent = find(None)
    assert [(each.name, each.version) for each in found] == [("chatmock", "1.40, python 3.11.7")]
    assert absent == dict.fromkeys(OPPONENTS.keys() - {"chatmock"}, "not installed")


def test_named_ones_alone_take_part(directory):
    found, absent = find(directory, ["litellm", "nonsense"])
    assert found == []
    assert absent["litellm"] == "not installed"
    assert absent["nonsense"].startswith("no such opponent")


@pytest.fixture(params=OPPONENTS)
def site(request, tmp_path):
    """Where the opponent of that name would be started."""
    home = tmp_path / "home"
    home.mkdir()
    return request.param, Site(tmp_path / "program", home, 4444, SIMULATOR, LOGIN)


def test_command_names_the_simulator_and_nobody_else(site):
    name, where = site
    command = OPPONENTS[name].command(where)
    written = [path.read_text() for path in where.home.rglob("*") if path.is_file()]
    told = " ".join([*command.arguments, *command.environment.values(), *written])
    assert SIMULATOR in told
    assert set(re.findall(r"https?://([\w.:-]+)", told)) == {"127.0.0.1:7777"}
    assert "0.0.0.0" not in told


def test_tokens_are_no_part_of_a_command_line(site):
    name, where = site
    command = OPPONENTS[name].command(where)
    assert not {"access", "refresh", "id"} & set(command.arguments)
    assert not {"access", "refresh", "id"} & set(command.environment.values())


def test_requirement_is_what_the_registry_takes():
    assert OPPONENTS["litellm"].package.requirement("1.106.2") == "litellm[proxy]==1.106.2"
    assert OPPONENTS["litellm"].package.requirement("") == "litellm[proxy]"
    assert OPPONENTS["openai-oauth"].package.requirement("2.0.0") == "openai-oauth@2.0.0"
    assert OPPONENTS["openai-oauth"].package.requirement("") == "openai-oauth@latest"


@pytest.mark.parametrize("name", OPPONENTS)
def test_readme_tells_version_and_dialects(name):
    opponent = OPPONENTS[name]
    readme = (Path(__file__).parents[2] / "bench" / "README.md").read_text()
    assert f"| {name} {opponent.package.version} | {', '.join(opponent.paths)} |" in readme


def test_starters_are_there():
    folder = Path(__file__).parents[2] / "bench" / "opponents"
    assert (folder / "start_chatmock.py").exists()
    assert (folder / "start_codex_as_api.py").exists()
