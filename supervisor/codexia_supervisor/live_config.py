"""The settings in force, read again whenever config.json may have changed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from codexia.config import read_config_file, resolve
from codexia.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from codexia.config import Settings

logger = logging.getLogger("codexia.supervisor")


class LiveConfig:
    """The last settings that were valid.

    Attributes:
        settings: in force.
        problem: what is wrong with the file as it is now, "" when nothing is.
    """

    def __init__(self, path: Path, flags: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        """Read the settings for the first time.

        Raises:
            ConfigError: they are wrong.
        """
        self.problem = ""
        self._path = path
        self._flags = flags
        self._environ = environ
        self._warnings: tuple[str, ...] = ()
        self.settings = self._resolve()

    def reload(self) -> bool:
        """Return whether the settings changed; wrong ones leave the last good in force."""
        before = self.settings
        try:
            self.settings = self._resolve()
        except ConfigError as error:
            problem = f"{error.message}; the last good settings stay in force"
            if problem != self.problem:
                logger.error("%s", problem)  # noqa: TRY400 - the text says it all
            self.problem = problem
            return False
        if self.problem:
            logger.warning("configuration valid again path=%s", self._path)
        self.problem = ""
        return self.settings != before

    def _resolve(self) -> Settings:
        file = read_config_file(self._path)
        resolved = resolve(self._flags, self._environ, file, self._path)
        if resolved.warnings != self._warnings:
            for warning in resolved.warnings:
                logger.warning("%s", warning)
        self._warnings = resolved.warnings
        return resolved.settings
