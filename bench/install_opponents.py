"""Install the gateways that Codexia is measured beside: `python -m bench.install_opponents DIRECTORY`.

Each gets an environment of its own below the directory, from npm or PyPI; nothing outside of it
is written to, caches included. What cannot be installed is skipped, and why is said.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from bench.opponents.package import Installed
from bench.opponents.roster import OPPONENTS, RECORD, installed

if TYPE_CHECKING:
    from bench.opponents.package import Package

TIMEOUT_S = 1800
TOLD_LINES = 5

TELL_VERSIONS = """
import importlib.metadata, platform, sys
print(importlib.metadata.version(sys.argv[1]), platform.python_version())
"""


class NotInstalled(Exception):
    """A package could not be installed."""


def main(
    directory: Annotated[Path, typer.Argument(help="Where they go; made if it is not there.")],
    names: Annotated[list[str] | None, typer.Argument(help="Only these.")] = None,
    *,
    show: Annotated[bool, typer.Option("--list", help="Only tell what is there.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Also those that are there.")] = False,
) -> None:
    """Install opponents, each in an environment of its own."""
    missing: list[str] = []
    for name in names or OPPONENTS:
        if name not in OPPONENTS:
            raise typer.BadParameter(f"no {name}; there are {', '.join(OPPONENTS)}")
        package = OPPONENTS[name].package
        record = installed(directory, name)
        if show:
            there = f"{record.version} on {record.runtime}" if record else "not installed"
            tried = package.requirement(package.version)
            print(f"{name}: {there}; tried: {tried} of {package.registry}")
        elif record and not again:
            print(f"{name}: {record.version} is there")
        elif not _install(directory.resolve(), name, package):
            missing.append(name)
    if missing:
        print(f"skipped: {', '.join(missing)}")
        raise typer.Exit(1)


def _install(directory: Path, name: str, package: Package) -> bool:
    """Return whether an opponent got installed: as it was tried, or else the newest."""
    folder = directory / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    install = _from_npm if package.registry == "npm" else _from_pypi
    for version in (package.version, ""):
        wanted = package.requirement(version)
        print(f"{name}: installing {wanted} from {package.registry}", flush=True)
        try:
            record = install(folder, package, version)
        except NotInstalled as error:
            print(f"{name}: {error}")
            continue
        (folder / RECORD).write_text(record.model_dump_json(indent=2))
        differs = "" if record.version == package.version else f", NOT the tried {package.version}"
        print(f"{name}: {record.version} on {record.runtime}{differs}", flush=True)
        return True
    return False


def _from_npm(folder: Path, package: Package, version: str) -> Installed:
    npm, node = shutil.which("npm"), shutil.which("node")
    if not npm or not node:
        raise NotInstalled("needs npm and node on the path")
    (folder / "package.json").write_text('{"private": true}\n')
    cache = folder.parent / ".npm"
    _run(
        *(npm, "install", "--prefix", str(folder), "--cache", str(cache)),
        # Install scripts are strangers' programs; these packages do without them.
        *("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"),
        *("--loglevel=error", package.requirement(version)),
    )
    manifest = folder / "node_modules" / package.name / "package.json"
    return Installed(
        package=package.name,
        version=orjson.loads(manifest.read_bytes())["version"],
        runtime=f"node {_run(node, '--version').strip().removeprefix('v')}",
    )


def _from_pypi(folder: Path, package: Package, version: str) -> Installed:
    _make_environment(folder, package.python)
    python = str(folder / "bin" / "python")
    _run(
        *(python, "-m", "pip", "install", "--quiet", "--no-cache-dir"),
        *("--disable-pip-version-check", package.requirement(version)),
    )
    number, runtime = _run(python, "-c", TELL_VERSIONS, package.name).split()
    return Installed(package=package.name, version=number, runtime=f"python {runtime}")


def _make_environment(folder: Path, wanted: str) -> None:
    python = _find_python(wanted)
    if python:
        _run(python, "-m", "venv", "--clear", str(folder))
        return
    uv = shutil.which("uv") or shutil.which("uv", path=Path(sys.executable).parent)
    if not uv:
        raise NotInstalled(f"needs Python {wanted}, or uv to get it with")
    _run(
        *(uv, "venv", "--clear", "--seed", "--managed-python", "--python", wanted, str(folder)),
        UV_PYTHON_INSTALL_DIR=str(folder.parent / ".python"),
        UV_CACHE_DIR=str(folder.parent / ".uv"),
    )


def _find_python(wanted: str) -> str:
    """Return a Python of this version, "" if none is found; pyenv's are looked for too."""
    if not wanted or wanted == ".".join(platform.python_version_tuple()[:2]):
        return sys.executable
    on_path = shutil.which(f"python{wanted}")
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates = [on_path, *sorted(map(str, pyenv.glob(f"{wanted}.*/bin/python")), reverse=True)]
    for candidate in filter(None, candidates):
        # pyenv's stand-ins are on the path of versions too that are not chosen.
        if subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    return ""


def _run(*command: str, **environment: str) -> str:
    try:
        told = subprocess.run(
            command,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"{Path(command[0]).name} took more than {TIMEOUT_S} s") from error
    if told.returncode:
        lines = (told.stderr + told.stdout).strip().splitlines()
        raise NotInstalled("\n  ".join([f"{Path(command[0]).name} failed:", *lines[-TOLD_LINES:]]))
    return told.stdout


if __name__ == "__main__":
    typer.run(main)
