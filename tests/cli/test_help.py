"""What every command says of itself, how quickly, and what a mistyped one gets."""

from __future__ import annotations

import subprocess
import sys

import pytest

from codexia import __version__
from tests.cli.command import COMMANDS, codexia

HEAVY = (
    "aiohttp",
    "asyncio",
    "granian",
    "httpx",
    "orjson",
    "pydantic",
    "rich",
    "starlette",
    "uvloop",
    "watchfiles",
)


def test_help_names_every_command_in_whole_lines():
    done = codexia("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        [line] = [line for line in done.stdout.splitlines() if line.split()[:1] == [command]]
        assert line.endswith("."), "the summary is too long for its line"
        assert not line.endswith("..."), "the summary is too long for its line"


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command: str):
    done = codexia(command, "--help")
    assert done.returncode == 0
    assert done.stdout == codexia(command, "-h").stdout
    options = [line for line in done.stdout.splitlines() if line.strip().startswith("-")]
    assert options
    for line in options:
        assert len(line.split("  ")) > 1, f"an option without a word about it: {line}"


def test_help_shows_what_stands_in_brackets():
    assert "RUN[[command]]" in codexia("simulate", "--help").stdout
    assert "[default: 127.0.0.1:14550]" in codexia("serve", "--help").stdout


def test_no_command_is_a_question_for_help():
    done = codexia()
    assert done.returncode == 2
    assert "Usage: codexia" in done.stdout + done.stderr


def test_version():
    done = codexia("--version")
    assert (done.returncode, done.stdout) == (0, f"codexia {__version__}\n")


def test_help_imports_nothing_heavy():
    script = (
        "import sys; sys.argv = ['codexia', '--help']\n"
        "from codexia.cli import main\n"
        "try: main()\n"
        f"finally: print('IMPORTED', *({{*{HEAVY!r}}} & sys.modules.keys()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "Usage: codexia" in done.stdout
    assert done.stdout.splitlines()[-1].split() == ["IMPORTED"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["serve", "--nonsense"],
        ["serve", "extra"],
        ["serve", "--bind", "14550"],
        ["serve", "--bind", "127.0.0.1:99999"],
        ["serve", "--workers", "0"],
        ["demo", "--workers", "many"],
        ["simulate", "--bind", "here"],
        ["status", "--json", "yes"],
    ],
    ids=" ".join,
)
def test_usage_errors_exit_with_2_and_name_the_help(arguments: list[str]):
    done = codexia(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "-h" in done.stderr
    assert arguments[-1] in done.stderr or arguments[-2] in done.stderr
