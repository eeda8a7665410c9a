"""Where Codexia keeps its files."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

MAX_SOCKET_PATH_BYTES = 100
"""Longest Unix socket path that Linux (108) and macOS (104) both take, with room to spare."""


@dataclass(frozen=True, slots=True)
class Home:
    """The Codexia home, `$CODEXIA_HOME` or `~/.codexia`."""

    root: Path

    @classmethod
    def from_environment(cls) -> Home:
        """Return the home that the environment names."""
        configured = os.environ.get("CODEXIA_HOME")
        return cls(
            Path(configured).expanduser().resolve() if configured else Path.home() / ".codexia"
        )

    @property
    def auth_file(self) -> Path:
        """Default place of the credentials; a setting may name another."""
        return self.root / "auth.json"

    @property
    def config_file(self) -> Path:
        """The settings file."""
        return self.root / "config.json"

    @property
    def config_lock(self) -> Path:
        """Held by a command while it changes `config_file`."""
        return self.run / "config.lock"

    @property
    def state_file(self) -> Path:
        """Batches and stored responses."""
        return self.root / "state.db"

    @property
    def batches(self) -> Path:
        """Content of uploads and batches."""
        return self.root / "batches"

    @property
    def recordings(self) -> Path:
        """Recorded exchanges."""
        return self.root / "recordings"

    @property
    def logs(self) -> Path:
        """Log files of the daemon."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Locks, and the record of where the sockets are."""
        return self.root / "run"

    @property
    def lock_file(self) -> Path:
        """Held by the supervisor of this home as long as it lives."""
        return self.run / "supervisor.lock"

    @property
    def socket_dir(self) -> Path:
        """Directory of the Unix sockets: `run`, or a short one where the home is too deep."""
        longest = self.run / "generation-99999.sock"
        if len(os.fsencode(longest)) <= MAX_SOCKET_PATH_BYTES:
            return self.run
        digest = sha256(os.fsencode(self.root)).hexdigest()[:12]
        # Not by XDG_RUNTIME_DIR or TMPDIR: a daemon and a shell differ in those, and must meet.
        return Path("/tmp") / f"codexia-{os.getuid()}-{digest}"  # noqa: S108 - `create` checks it

    @property
    def control_socket(self) -> Path:
        """The supervisor's control API."""
        return self.socket_dir / "supervisor.sock"

    def remove_socket_dir(self) -> None:
        """Remove the directory of the sockets, if it is not `run` and nothing uses it any more."""
        if self.socket_dir != self.run:
            with suppress(OSError):
                self.socket_dir.rmdir()

    def hide_files(self) -> list[Path]:
        """Take other users' access away from the files that hold secrets; return which had some."""
        exposed: list[Path] = []
        for path in (
            self.auth_file,
            self.config_file,
            self.state_file,
            self.batches,
            self.recordings,
        ):
            with suppress(OSError):
                mode = path.stat().st_mode
                if mode & 0o077:
                    exposed.append(path)
                    path.chmod(mode & ~0o077)
        return exposed

    def create(self) -> None:
        """Make the directories, readable by this user only.

        Raises:
            PermissionError: a directory belongs to somebody else, or is where somebody else
                may exchange it.
        """
        for directory in (self.root, self.run, self.logs, self.socket_dir):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if directory.stat().st_uid != os.getuid():
                raise PermissionError(f"{directory} belongs to another user")
        if self.socket_dir != self.run and self.socket_dir.is_symlink():
            raise PermissionError(f"{self.socket_dir} is a link; remove it")
        for directory in (self.run, self.socket_dir):
            directory.chmod(0o700)
        # Whoever may write here may put a login or settings of his own in place of ours.
        self.root.chmod(self.root.stat().st_mode & ~0o022)
