"""`codexia config` without a subcommand: the common settings, one question each."""

from __future__ import annotations

import os
import secrets
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from codexia.config_file import ConfigFile, Content

MASK: Final = "********"
NONE: Final = "none"
GENERATE: Final = "generate"


@dataclass(frozen=True, slots=True)
class Question:
    """One setting to ask for."""

    key: str
    label: str


QUESTIONS: Final = (
    Question("bind_host", "Bind host"),
    Question("bind_port", "Bind port"),
    Question("api_key", "Local API key"),
    Question("auth_file", "Credential file"),
    Question("model_fallback", "Fallback model for Anthropic names"),
    Question("workers", "Workers"),
)

INTRODUCTION: Final = f"""\
Enter keeps what stands in brackets; {NONE} takes a value out of config.json, back to its default;
{GENERATE} makes a random API key."""


def random_key() -> str:
    """Return a key that nobody guesses."""
    return f"codexia-{secrets.token_urlsafe(24)}"


def ask_all(file: ConfigFile) -> None:
    """Ask for each setting, save what was answered, and say what is in force.

    Raises:
        CodexiaError: the input ended before the last answer; nothing is saved.
        ConfigError: config.json was wrong before.
    """
    from codexia.cli.config_outcome import tell
    from codexia.config import parse_config

    raw = file.raw()
    before = file.check(raw) if raw else parse_config(b"{}", file.path)
    typer.echo(INTRODUCTION)
    answers: dict[str, Any] = {}
    for question in QUESTIONS:
        answers |= _answer(question, before, answers, file)
    if not file.change(lambda content: _merged(content, answers)):
        typer.echo("nothing changed", err=True)
        return
    tell(file, answers.keys())


def _answer(
    question: Question, before: Content, answers: dict[str, Any], file: ConfigFile
) -> dict[str, Any]:
    """Return the new value by key; None takes it out, and nothing keeps it."""
    while True:
        answer = _value(question.key, _ask(_prompt(question, before)))
        reason = _problem(question.key, answer, before, answers, file)
        if not reason:
            return answer
        typer.echo(f"  {reason}")


def _value(key: str, text: str) -> dict[str, Any]:
    from codexia.config_file import KeyPath, value_from_text

    if not text:
        return {}
    if text == NONE:
        return {key: None}
    if text == GENERATE and key == "api_key":
        text = random_key()
        typer.echo(f"  {text}")
    return {key: value_from_text(KeyPath(key), text)}


def _problem(
    key: str, answer: dict[str, Any], before: Content, answers: dict[str, Any], file: ConfigFile
) -> str:
    """Return what is wrong with an answer, "" if nothing is."""
    from codexia.config import KeyNeeded, check_file
    from codexia.config_file import problem_of

    if answer.get(key) is not None and (reason := problem_of(key, answer[key])):
        return reason
    if key == "api_key":
        # The host came before: only now it can be told whether there is a key for it.
        try:
            check_file(_merged(before, {**answers, **answer}), os.environ, file.path)
        except KeyNeeded as error:
            return error.reason
    return ""


def _prompt(question: Question, before: Content) -> str:
    from codexia.cli.config_show import text_of
    from codexia.config_file import variable_of
    from codexia.settings import Settings

    saved = before.get(question.key)
    value, source = saved, "config.json"
    if saved is None:
        value, source = getattr(Settings(), question.key), "default"
    text = "none" if value is None else MASK if question.key == "api_key" else text_of(value)
    variable = variable_of(question.key, os.environ)
    note = f"; {variable} overrides it" if variable else ""
    return f"{question.label} [{text}] ({source}{note}): "


def _ask(prompt: str) -> str:
    from codexia.errors import CodexiaError

    try:
        # `input` writes the prompt by itself to a terminal only.
        if sys.stdin.isatty():
            return input(prompt).strip()
        typer.echo(prompt)
        return input().strip()
    except EOFError:
        raise CodexiaError("the input ended before the last answer; nothing was saved") from None


def _merged(content: Content, answers: dict[str, Any]) -> Content:
    from codexia.config_file import KeyPath, with_value, without

    for key, value in answers.items():
        where = KeyPath(key)
        content = without(content, where) if value is None else with_value(content, where, value)
    return content
