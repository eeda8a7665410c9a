"""The settings in force, read again whenever config.json may have changed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from codexia.config import KEYS, pinned_by, read_config_file, resolve
from codexia.config_status import ConfigStatus, ConfigValue
from codexia.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from codexia.config import Settings, Source

logger = logging.getLogger("codexia.supervisor")


class LiveConfig:
    """The last settings that were valid.

    Attributes:
        settings: in force.
        sources: where each value came from, by key.
        problem: what is wrong with the file as it is now, "" when nothing is.
        warnings: what of the file has no effect, and why.
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
        self.warnings: tuple[str, ...] = ()
        self.sources: Mapping[str, Source] = {}
        self.settings = self._resolve()

    def status(self) -> ConfigStatus:
        """Return all of it, without the secrets."""
        values = self.settings.model_dump(mode="json")
        return ConfigStatus(
            path=str(self._path),
            values={key: ConfigValue(value=values[key], source=self.sources[key]) for key in KEYS},
            problem=self.problem,
            warnings=self.warnings,
        )

    @property
    def pinned(self) -> dict[str, str]:
        """What keeps an edit of the file from being in force, by key."""
        pins = {key: pinned_by(source, key) for key, source in self.sources.items()}
        return {key: pin for key, pin in pins.items() if pin}

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
        for warning in resolved.warnings:
            if warning not in self.warnings:
                logger.warning("%s", warning)
        self.warnings = resolved.warnings
        self.sources = resolved.sources
        return resolved.settings
