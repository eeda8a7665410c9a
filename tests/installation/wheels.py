"""Wheels of two versions of this project, and environments that they are installed into for real."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import sysconfig
import zipfile
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("codexia", "supervisor/codexia_supervisor", "workers/codexia_workers")


def write_wheel(directory: Path, version: str, *, broken: bool = False) -> None:
    """Put a wheel without dependencies into a directory.

    Args:
        directory: of wheels, for an installer to find.
        version: what it says it is.
        broken: whether its command fails.
    """
    info = f"codexia_gateway-{version}.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: codexia-gateway\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\ncodexia = codexia.cli:main\n",
    }
    for package in map(ROOT.joinpath, PACKAGES):
        for path in package.rglob("*.py"):
            files[path.relative_to(package.parent).as_posix()] = path.read_text()
    files["codexia/__init__.py"] = f'__version__ = "{version}"\n' + "1 / 0\n" * broken
    record = "".join(
        f"{name},{_digest(text)},{len(text.encode())}\n" for name, text in files.items()
    )
    with zipfile.ZipFile(directory / f"codexia_gateway-{version}-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
        wheel.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")


def lend_dependencies(prefix: Path) -> None:
    """Let an environment import what this one has, since the wheels bring no dependencies."""
    [site_packages] = prefix.glob("lib/python*/site-packages")
    (site_packages / "lent.pth").write_text(f"{sysconfig.get_path('purelib')}\n")


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        list(map(str, command)),
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
        check=False,
    )


def new_environment(prefix: Path) -> Path:
    """Make a virtual environment with pip; return its interpreter."""
    assert run(sys.executable, "-m", "venv", prefix).returncode == 0
    return prefix / "bin" / "python"


def _digest(text: str) -> str:
    digest = base64.urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()
    return f"sha256={digest}"
