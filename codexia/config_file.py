"""Edits of config.json that lose nothing: unknown keys, order, or the edit of somebody else.

A key may have a dot: `model_aliases.fast`, and `api_keys.laptop` for the key of that name.
"""

from __future__ import annotations

import difflib
import fcntl
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from pydantic import SecretStr, ValidationError

from codexia.config import (
    ENVIRONMENT,
    KEYS,
    LISTS,
    SECRET_KEYS,
    check_file,
    parse_config,
    read_raw,
    reason_of,
)
from codexia.errors import CodexiaError, ConfigError
from codexia.files import replace_file
from codexia.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path

    from codexia.paths import Home

Content = dict[str, Any]

NESTED: Final = frozenset({"model_aliases", "api_keys"})
"""Settings whose entries can be edited one by one."""

STRUCTURED: Final = LISTS | NESTED
NUMBERS: Final = frozenset(
    key
    for key, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, int | float)
)


class UnknownSetting(CodexiaError):
    """There is no setting of this name."""


class FileChanged(CodexiaError):
    """Somebody else saved config.json in the meantime."""


@dataclass(frozen=True, slots=True)
class KeyPath:
    """A setting, or one entry of it."""

    key: str
    entry: str = ""

    @classmethod
    def parse(cls, text: str) -> KeyPath:
        """Return what a command line names.

        Raises:
            UnknownSetting: nothing is called so; suggests what may be meant.
        """
        key, dot, entry = text.strip().partition(".")
        if key not in KEYS:
            near = difflib.get_close_matches(key.lower().replace("-", "_"), KEYS, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else "`codexia config show` lists all"
            raise UnknownSetting(f"there is no setting {key!r}; {hint}")
        if dot and (key not in NESTED or not entry):
            raise UnknownSetting(f"{text!r} names nothing; {key} is set as a whole")
        return cls(key, entry)

    @property
    def secret(self) -> bool:
        """Whether its value is for nobody to see."""
        return self.key in SECRET_KEYS

    def __str__(self) -> str:
        return f"{self.key}.{self.entry}" if self.entry else self.key


def value_from_text(where: KeyPath, text: str) -> Any:
    """Return the JSON value that somebody means by what he typed.

    It is JSON where that makes sense, else the text itself; lists may be separated by commas.

    Raises:
        ConfigError: it means no value.
    """
    json = not where.entry and (where.key in STRUCTURED | NUMBERS or text.startswith('"'))
    value: Any = text
    if json or text == "null":
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            if where.key in LISTS:
                value = [part.strip() for part in text.split(",")]
    if value is None:
        raise ConfigError(
            "value", str(where), "null is no value; `codexia config unset` removes one"
        )
    return value


def problem_of(key: str, value: Any) -> str:
    """Return what is wrong with a value by itself, "" if nothing is."""
    try:
        Settings.model_validate({key: value})
    except ValidationError as error:
        return reason_of(error)
    return ""


def with_value(content: Content, where: KeyPath, value: Any) -> Content:
    """Return the content with one value set; what is there keeps its place."""
    if not where.entry:
        return {**content, where.key: value}
    _check_entries(content, where.key)
    if where.key == "model_aliases":
        return {**content, where.key: {**(content.get(where.key) or {}), where.entry: value}}
    named = {"name": where.entry, "key": value}
    keys = _named_keys(content)
    if where.entry in _names(keys):
        changed = [{**key, **named} if key["name"] == where.entry else key for key in keys]
    else:
        changed = [*keys, named]
    return {**content, where.key: changed}


def without(content: Content, where: KeyPath) -> Content:
    """Return the content without one value."""
    if not where.entry:
        return {key: value for key, value in content.items() if key != where.key}
    _check_entries(content, where.key)
    rest: Any
    if where.key == "model_aliases":
        aliases: Content = content.get(where.key) or {}
        rest = {name: model for name, model in aliases.items() if name != where.entry}
    else:
        rest = [key for key in _named_keys(content) if key["name"] != where.entry]
    return {**content, where.key: rest} if rest else without(content, KeyPath(where.key))


def values_of(settings: Settings, *, reveal: bool = False) -> Content:
    """Return the values as config.json would hold them; secrets masked unless `reveal`."""
    if not reveal:
        return settings.model_dump(mode="json")
    values = settings.model_dump()
    values["auth_file"] = None if settings.auth_file is None else str(settings.auth_file)
    return _revealed(values)


def value_at(values: Mapping[str, Any], where: KeyPath) -> Any:
    """Return one value.

    Raises:
        UnknownSetting: there is no such entry.
    """
    value = values[where.key]
    if not where.entry:
        return value
    if where.key == "api_keys":
        value = {each["name"]: each["key"] for each in value}
    if where.entry not in value:
        raise UnknownSetting(f"{where} is not set")
    return value[where.entry]


class ConfigFile:
    """The config.json of one home, for commands that change it.

    What is saved has been checked before, and is on disk as a whole or not at all.
    """

    def __init__(self, home: Home, environ: Mapping[str, str]) -> None:
        self.path = home.config_file
        self._home = home
        self._environ = environ

    def raw(self) -> bytes:
        """Return the file as it is, nothing if there is none."""
        try:
            return read_raw(self.path)
        except FileNotFoundError:
            return b""

    def check(self, raw: bytes) -> Content:
        """Return the content that bytes are.

        Raises:
            ConfigError: a gateway would refuse it.
        """
        content = parse_config(raw, self.path)
        check_file(content, self._environ, self.path)
        return content

    def change(self, edit: Callable[[Content], Content]) -> bool:
        """Return whether an edit changed anything; edits at the same time wait for each other.

        Raises:
            ConfigError: the file is not JSON, or a gateway would refuse the outcome.
        """
        with self._locked():
            raw = self.raw()
            before = parse_config(raw, self.path) if raw else {}
            after = edit(before)
            if after == before and list(after) == list(before):
                return False
            check_file(after, self._environ, self.path)
            replace_file(self.path, orjson.dumps(after, option=orjson.OPT_INDENT_2) + b"\n")
            return True

    def replace(self, raw: bytes, *, before: bytes) -> None:
        """Save bytes as they are.

        Args:
            raw: what the file shall hold.
            before: what it has to hold now.

        Raises:
            ConfigError: a gateway would refuse them.
            FileChanged: the file holds something else.
        """
        self.check(raw)
        with self._locked():
            if self.raw() != before:
                raise FileChanged(f"{self.path} was changed by somebody else in the meantime")
            replace_file(self.path, raw)

    def set_aside(self) -> Path | None:
        """Return where the file went, None if there was none; the one there before is gone."""
        backup = self.path.with_name(f"{self.path.name}.bak")
        with self._locked():
            try:
                self.path.rename(backup)
            except FileNotFoundError:
                return None
        return backup

    @contextmanager
    def _locked(self) -> Generator[None]:
        self._home.create()
        descriptor = os.open(self._home.config_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _check_entries(content: Content, key: str) -> None:
    if reason := problem_of(
        key, content.get(key) or Settings.model_fields[key].get_default(call_default_factory=True)
    ):
        raise ConfigError("config.json", key, reason)


def _named_keys(content: Content) -> list[Content]:
    keys: list[Content] = content.get("api_keys") or []
    return keys


def _names(keys: list[Content]) -> set[str]:
    return {key["name"] for key in keys}


def _revealed(value: Any) -> Any:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case dict():
            return {key: _revealed(each) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case list() | tuple():
            return [_revealed(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value


def variable_of(key: str, environ: Mapping[str, str]) -> str:
    """Return the environment variable that overrides a key here and now, "" if none does."""
    variable = ENVIRONMENT.get(key, "")
    return variable if environ.get(variable) else ""
