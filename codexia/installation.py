"""How Codexia was installed, and the command that puts another version in its place."""

from __future__ import annotations

import os
import shutil
import site
import sys
import sysconfig
import tomllib
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from codexia.errors import CodexiaError

if TYPE_CHECKING:
    from collections.abc import Mapping

DISTRIBUTION: Final = "codexia-gateway"


class CannotUpdate(CodexiaError):
    """It was installed in a way that another program or a person has to update."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Who installed Codexia, and where.

    Attributes:
        installer: in words.
        version: what is installed.
        upgrade: command that installs the newest version.
        pin: command that installs the version whose number is put after its last argument.
        probe: command that tells what `upgrade` would install, without doing it.
        environment: variables of these commands, besides this process's.
    """

    installer: str
    version: str
    upgrade: tuple[str, ...]
    pin: tuple[str, ...]
    probe: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    def command(self, version: str | None) -> tuple[str, ...]:
        """Return the command that installs a version, or the newest."""
        if version is None:
            return self.upgrade
        return (*self.pin[:-1], f"{self.pin[-1]}{version}")


def find_installation(prefix: Path | None = None) -> Installation:
    """Return how the running Codexia was installed.

    Args:
        prefix: the environment's directory, by default this interpreter's.

    Raises:
        CannotUpdate: not by a program that can update it; says who can.
    """
    prefix = prefix or Path(sys.prefix)
    try:
        distribution = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        raise CannotUpdate(
            f"codexia runs from a directory, not from an installed {DISTRIBUTION}; update that"
        ) from None
    _refuse_checkout(distribution)
    version = distribution.version
    if (prefix / "uv-receipt.toml").is_file():
        return _of_uv(prefix, version)
    if (prefix / "pipx_metadata.json").is_file():
        return _of_pipx(prefix, version)
    if (distribution.read_text("INSTALLER") or "").strip() == "conda":
        raise CannotUpdate(f"installed by conda; run `conda update {DISTRIBUTION}`")
    return _of_pip(prefix, version, distribution)


def _refuse_checkout(distribution: metadata.Distribution) -> None:
    origin: dict[str, Any] = orjson.loads(distribution.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        where = str(origin["url"]).removeprefix("file://")
        raise CannotUpdate(f"installed from the source checkout {where}; run `git pull` there")


def _of_uv(prefix: Path, version: str) -> Installation:
    uv = _program("uv", "~/.local/bin", "~/.cargo/bin")
    receipt = tomllib.loads((prefix / "uv-receipt.toml").read_text())
    pinned = any(each.get("specifier") for each in receipt["tool"].get("requirements", []))
    python = str(prefix / "bin" / "python")
    install = (uv, "tool", "install")
    # An upgrade stays within the version that the tool was once asked for; `@latest` forgets that.
    upgrade = (
        (*install, f"{DISTRIBUTION}@latest") if pinned else (uv, "tool", "upgrade", prefix.name)
    )
    return Installation(
        "uv tool",
        version,
        upgrade,
        (*install, f"{DISTRIBUTION}=="),
        (
            uv,
            "pip",
            "install",
            "--python",
            python,
            "--dry-run",
            "--upgrade",
            "--no-deps",
            DISTRIBUTION,
        ),
        {"UV_TOOL_DIR": str(prefix.parent)},
    )


def _of_pipx(prefix: Path, version: str) -> Installation:
    pipx = _program("pipx", "~/.local/bin")
    name = prefix.name
    # Not `pipx install --force`: it removes the environment when it fails, and would pin the
    # version for later upgrades.
    return Installation(
        "pipx",
        version,
        (pipx, "upgrade", name),
        (pipx, "runpip", name, "install", f"{DISTRIBUTION}=="),
        _pip_probe(str(prefix / "bin" / "python")),
        {"PIPX_HOME": str(prefix.parent.parent)},
    )


def _of_pip(prefix: Path, version: str, distribution: metadata.Distribution) -> Installation:
    python = sys.executable
    if prefix == Path(sys.base_prefix):
        _refuse_managed()
        own = Path(str(distribution.locate_file(""))).resolve()
        user = ("--user",) if own == Path(site.getusersitepackages()).resolve() else ()
        return _by_pip("pip --user" if user else "pip", python, version, user)
    if (Path(sysconfig.get_path("purelib")) / "pip").is_dir():
        return _by_pip("pip in a virtual environment", python, version)
    uv_pip = (_program("uv", "~/.local/bin", "~/.cargo/bin"), "pip", "install", "--python", python)
    return Installation(
        "uv pip in a virtual environment",
        version,
        (*uv_pip, "--upgrade", DISTRIBUTION),
        (*uv_pip, f"{DISTRIBUTION}=="),
        (*uv_pip, "--dry-run", "--upgrade", "--no-deps", DISTRIBUTION),
    )


def _by_pip(
    installer: str, python: str, version: str, options: tuple[str, ...] = ()
) -> Installation:
    pip = (python, "-P", "-m", "pip", "install", *options)
    return Installation(
        installer,
        version,
        (*pip, "--upgrade", DISTRIBUTION),
        (*pip, f"{DISTRIBUTION}=="),
        _pip_probe(python),
    )


def _pip_probe(python: str) -> tuple[str, ...]:
    pip = (python, "-P", "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    return (*pip, "--dry-run", "--upgrade", "--no-deps", "--report", "-", DISTRIBUTION)


def _refuse_managed() -> None:
    if Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").is_file():
        raise CannotUpdate(
            "the system's package manager looks after this Python; install Codexia by "
            f"`pipx install {DISTRIBUTION}` or `uv tool install {DISTRIBUTION}`"
        )


def _program(name: str, *directories: str) -> str:
    """Return the path of an installer.

    Raises:
        CannotUpdate: it is not there any more.
    """
    places = [os.environ.get("PATH", ""), *(str(Path(each).expanduser()) for each in directories)]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        raise CannotUpdate(f"installed by {name}, which is not on PATH; run it from where it is")
    return found
