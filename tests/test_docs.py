"""README.md and ARCHITECTURE.md say what the code does, and name nothing that is not there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer.main
from starlette.routing import Route, Router, WebSocketRoute

from codexia.cli.app import app as command_line
from codexia.config import ENVIRONMENT, KEYS, Settings
from codexia.paths import Home
from codexia_workers.app import create_app
from tests.workers.specs import generation_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

DEMO = "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/codexia demo"
TESTS = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/pytest"

CODE = re.compile(r"`([^`\n]+)`")
MACHINE_PATH = re.compile(r"/(?:home|Users|root|work)/(?!somebody)[A-Za-z]|[A-Z]:\\Users")
SCANNED = {".py", ".md", ".toml", ".json", ".txt", ".yml", ".yaml", ".sh", ".sse", ".http", ""}

COMMANDS = typer.main.get_command(command_line)


def code_in(text: str) -> set[str]:
    return set(CODE.findall(text))


def section(heading: str) -> str:
    """Return what stands under a heading of the README."""
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE)
    assert found, f"README.md has no heading {heading!r}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """Return the cells of the table rows."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def documented_files() -> list[Path]:
    skipped = {"node_modules", "__pycache__"}
    return [
        path
        for top in ("codexia", "supervisor", "workers", "tests", "bench", ".ci")
        for path in sorted((ROOT / top).rglob("*"))
        if path.is_file() and path.suffix in SCANNED and not skipped & set(path.parts)
    ] + [path for path in sorted(ROOT.glob("[!.]*.*")) if path.is_file()]


def test_readme_has_the_two_commands_to_start_with():
    assert DEMO in README.splitlines()
    assert TESTS in README.splitlines()


@pytest.mark.parametrize("name", sorted(COMMANDS.commands))
def test_readme_tells_each_command_and_its_options(name: str):
    [(_, told)] = [row for row in rows(section("Commands")) if row[0] == f"`codexia {name}`"]
    options = {
        "-v" if "-v" in parameter.opts else parameter.opts[0]
        for parameter in COMMANDS.commands[name].params
        if parameter.param_type_name == "option"
    }
    assert options == {each for each in code_in(told) if each[:1] == "-"}


def test_readme_tells_the_options_of_no_command():
    options = {parameter.opts[0] for parameter in COMMANDS.params} - {"--verbose"}
    prose = code_in(section("Commands"))
    assert {each for each in options if f"codexia {each}" not in prose} <= {"--show-completion"}


def test_readme_tells_every_setting():
    table = [row for row in rows(section("Settings")) if len(row) == 3]
    told = [key for row in table for key in CODE.findall(row[0])]
    assert sorted(told) == sorted(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_readme_tells_default_and_meaning_of_a_setting_as_the_schema_does(key: str):
    [row] = [row for row in rows(section("Settings")) if row[0] == f"`{key}`"]
    field = Settings.model_fields[key]
    assert row[2] == field.description
    default = field.get_default()
    if isinstance(default, str | int | float) and key != "user_agent":
        assert row[1] == f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_readme_tells_each_subcommand_of_config_and_its_options():
    group = COMMANDS.commands["config"]
    table = {row[0]: row[1] for row in rows(section("Settings")) if len(row) == 2}
    for name, command in group.commands.items():
        arguments = [each for each in command.params if each.param_type_name == "argument"]
        usage = " ".join(["codexia config", name, *(each.metavar for each in arguments)])
        options = {each.opts[0] for each in command.params if each.param_type_name == "option"}
        told = {each for each in code_in(table[f"`{usage}`"]) if each[:2] == "--"}
        assert told == options, name


def test_readme_tells_how_environment_variables_are_named():
    settings = section("Settings")
    assert "The variable of a key is `CODEXIA_` and the key in\ncapitals" in settings
    assert {name.removeprefix("CODEXIA_").lower() for name in ENVIRONMENT.values()} <= set(KEYS)
    [exceptions] = re.findall(r"only in `config\.json`: ([^.;]*)", settings)
    assert code_in(exceptions) == set(KEYS) - set(ENVIRONMENT)
    assert "commas" in settings
    assert "`CODEXIA_HOME`" in settings


def test_readme_tells_every_file_of_the_home():
    home = Home(Path("home"))
    told = {row[0].strip("`") for row in rows(section("Settings")) if len(row) == 2}
    assert told >= {home.auth_file.name, home.config_file.name, f"{home.run.name}/"}


def served() -> Iterator[str]:
    """Return `METHOD /path` of everything that a worker serves."""
    app = create_app(generation_spec())
    while not isinstance(app, Router):
        app = app._app
    for route in app.routes:
        if isinstance(route, WebSocketRoute):
            yield f"GET {route.path}"
            continue
        assert isinstance(route, Route)
        path = re.sub(r"\{(?:\w+_)?id(?::path)?\}", "{id}", route.path)
        by_method = getattr(route.endpoint, "_app", route.endpoint)
        yield from (f"{method} {path}" for method in by_method._methods)


def test_readme_tells_every_route_and_no_other():
    told = {each for row in rows(section("Endpoints")) for each in code_in(row[0]) if "/" in each}
    told = {each for each in told if each.split()[0] in {"GET", "HEAD", "POST", "DELETE"}}
    assert told == set(served())


def test_links_lead_to_files():
    for document in (README, ARCHITECTURE):
        for target in re.findall(r"\]\(([^)#]+)", document):
            assert "://" in target or (ROOT / target).exists(), target


def test_architecture_is_short():
    assert len(ARCHITECTURE.splitlines()) <= 150


def test_architecture_names_only_files_that_exist():
    names = {each for each in code_in(ARCHITECTURE) if re.search(r"\w\.(py|md|toml)$|/$", each)}
    assert names
    every_file = [path.as_posix() for path in documented_files()]
    for name in names:
        assert (ROOT / name).exists() or any(each.endswith(f"/{name}") for each in every_file), name


@pytest.mark.parametrize("requirement", PYPROJECT["project"]["dependencies"])
def test_architecture_gives_the_reason_of_each_dependency(requirement: str):
    name = re.match(r"[\w-]+", requirement)[0]
    chosen = [row[0] for row in rows(ARCHITECTURE.partition("## Choices")[2])]
    assert any(name in re.split(r"[ ,]+", cell) for cell in chosen)


def test_no_file_names_a_path_of_somebodys_machine():
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in documented_files()
        for match in MACHINE_PATH.finditer(path.read_text(errors="replace"))
    ]
    assert found == []
