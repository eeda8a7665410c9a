"""How a line of the log looks: text for people, or one JSON object."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

TEXT: Final = "%(asctime)s %(name)s %(levelname)s %(message)s"


class Fields(dict[str, Any]):
    """What a line says, by name; JSON has it as members, text as `name=value`.

    Strings that could pass for something else are quoted, so that no value forges another one.
    """

    def __str__(self) -> str:
        return " ".join(f"{name}={_text(value)}" for name, value in self.items())


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `message`, and what more there is."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        entry: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
        }
        arguments: Mapping[str, Any] | object = record.args
        if isinstance(arguments, Fields):
            # "request %s" is but the text's way to them.
            entry |= {"message": record.msg.removesuffix(" %s"), **arguments}
        else:
            entry["message"] = record.getMessage()
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            entry["stack"] = record.stack_info
        try:
            return orjson.dumps(entry, default=str).decode()
        except TypeError:
            # Text that no encoding can hold, as names of files may be.
            sound = {name: str(value).encode(errors="replace") for name, value in entry.items()}
            return orjson.dumps(sound, default=bytes.decode).decode()


def set_up_logging(level: str, form: str) -> None:
    """Let this process log to standard error."""
    logging.basicConfig(stream=sys.stderr)
    sys.excepthook = _log_exception
    adjust_logging(level, form)


def adjust_logging(level: str, form: str) -> None:
    """Change how this process logs.

    Args:
        level: of our own loggers.
        form: `text` or `json`.
    """
    formatter = JsonFormatter() if form == "json" else logging.Formatter(TEXT)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(formatter)
    logging.getLogger("codexia").setLevel(level.upper())


def _log_exception(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    logging.getLogger("codexia").critical("ended by a bug", exc_info=(kind, error, traceback))


def _text(value: object) -> str:
    text = str(value)
    plain = text.isascii() and text.isprintable() and not set(text) & set(" =\"'")
    return text if plain else repr(text)
