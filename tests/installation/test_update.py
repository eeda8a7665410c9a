"""`codexia update` of real installations, by pip, uv and pipx, from a directory of wheels."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.installation.wheels import lend_dependencies, new_environment, run, write_wheel

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module", autouse=True)
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory of wheels, the only place that installers look at, with one of version 1.0."""
    scratch = tmp_path_factory.mktemp("installers")
    wheels = scratch / "wheels"
    wheels.mkdir()
    write_wheel(wheels, "1.0")
    environment = {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_NO_INDEX": "1",
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": str(wheels),
        "UV_CACHE_DIR": str(scratch / "uv-cache"),
        "UV_TOOL_DIR": str(scratch / "tools"),
        "UV_TOOL_BIN_DIR": str(scratch / "bin"),
        "UV_PYTHON_DOWNLOADS": "never",
        "PIPX_HOME": str(scratch / "pipx"),
        "PIPX_BIN_DIR": str(scratch / "pipx-bin"),
        "PIPX_MAN_DIR": str(scratch / "man"),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield wheels


def by_pip(scratch: Path) -> Path:
    python = new_environment(scratch / "venv")
    done = run(python, "-m", "pip", "install", "codexia-gateway")
    assert done.returncode == 0, done.stdout
    lend_dependencies(scratch / "venv")
    return python.parent / "codexia"


def by_uv(scratch: Path) -> Path:
    if not shutil.which("uv"):
        pytest.skip("uv is not installed")
    done = run("uv", "tool", "install", "codexia-gateway")
    assert done.returncode == 0, done.stdout
    lend_dependencies(scratch / "tools" / "codexia-gateway")
    return scratch / "bin" / "codexia"


def by_pipx(scratch: Path) -> Path:
    if not shutil.which("pipx"):
        pytest.skip("pipx is not installed")
    done = run("pipx", "install", "codexia-gateway")
    if done.returncode != 0 and "shared libraries" in done.stdout:
        pytest.skip("pipx wants a newer pip from the network")
    assert done.returncode == 0, done.stdout
    lend_dependencies(scratch / "pipx" / "venvs" / "codexia-gateway")
    return scratch / "pipx-bin" / "codexia"


@pytest.fixture(scope="module", params=[by_pip, by_uv, by_pipx])
def codexia(request: pytest.FixtureRequest, index: Path) -> Path:
    """An installed codexia, at first of version 1.0."""
    for wheel in index.iterdir():
        if "-1.0-" not in wheel.name:
            wheel.unlink()
    return request.param(index.parent)


def version(codexia: Path) -> str:
    return run(codexia, "--version").stdout.strip()


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout.strip().splitlines()[-1]


def test_to_the_newest_to_a_given_one_and_on(codexia: Path, index: Path):
    assert version(codexia) == "codexia 1.0"
    assert "1.0 is the newest" in run(codexia, "update", "--check").stdout
    write_wheel(index, "1.5")
    write_wheel(index, "2.0")
    offered = run(codexia, "update", "--check")
    assert "2.0 is on offer" in offered.stdout, offered.stdout
    assert version(codexia) == "codexia 1.0", "a check changes nothing"

    done = run(codexia, "update")
    assert done.returncode == 0, done.stdout
    assert "updated codexia 1.0 -> 2.0" in done.stdout
    assert version(codexia) == "codexia 2.0"
    assert "installed already" in run(codexia, "update").stdout

    back = run(codexia, "update", "--version", "1.5")
    assert back.returncode == 0, back.stdout
    assert "updated codexia 2.0 -> 1.5" in back.stdout
    assert version(codexia) == "codexia 1.5"

    again = run(codexia, "update")
    assert "updated codexia 1.5 -> 2.0" in again.stdout, again.stdout
    assert "until its next start" in last_line(again), "there is no daemon"


def test_a_version_that_is_not_there_changes_nothing(codexia: Path):
    before = version(codexia)
    done = run(codexia, "update", "--version", "9.9")
    assert done.returncode == 1
    assert "9.9" in done.stdout.split("running:")[1]
    assert last_line(done).startswith("error: ")
    assert f"{before} is still installed" in last_line(done)
    assert version(codexia) == before


def test_a_version_that_does_not_start_is_reported(codexia: Path, index: Path):
    write_wheel(index, "3.0", broken=True)
    done = run(codexia, "update", "--restart")
    assert done.returncode == 1
    assert "does not start (ZeroDivisionError" in last_line(done)
