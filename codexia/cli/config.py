"""`codexia config`: look at the settings and change them, whether or not a gateway runs."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codexia.cli.options import AsJson

if TYPE_CHECKING:
    from codexia.config import Resolved
    from codexia.config_file import ConfigFile, KeyPath

Key = Annotated[
    str,
    typer.Argument(
        metavar="KEY", help="A setting, or an entry: model_aliases.NAME, api_keys.NAME."
    ),
]
Reveal = Annotated[bool, typer.Option("--reveal", help="Print secrets as they are.")]

app = typer.Typer(
    help="Show and change the settings.\n\n"
    "Without a subcommand it asks for the common ones. A running gateway takes every change up "
    "at once.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


@app.callback()
def config(context: typer.Context) -> None:
    """Show and change the settings; without a subcommand, asks for the common ones.

    A running gateway takes every change up at once.
    """
    if context.invoked_subcommand is None:
        from codexia.cli.config_questions import ask_all

        ask_all(_file())


@app.command("show")
def show(*, as_json: AsJson = False, reveal: Reveal = False) -> None:
    """List every setting, its value and where that comes from.

    Where a running gateway has another value in force, because of its command line or its
    environment, that is shown too.
    """
    from codexia.cli.config_show import as_lines, as_report, gateway_config
    from codexia.config_file import values_of

    resolved = _resolved()
    values = values_of(resolved.settings, reveal=reveal)
    gateway = gateway_config()
    if as_json:
        _print_json(as_report(_file().path, values, resolved.sources, gateway))
        return
    for line in as_lines(values, resolved.sources, gateway):
        typer.echo(line)


@app.command("get")
def get(key: Key, *, as_json: AsJson = False, reveal: Reveal = False) -> None:
    """Print the value of one setting.

    It is what a gateway would have that is started from here: environment, config.json, default.
    """
    from codexia.config_file import KeyPath, value_at, values_of
    from codexia.errors import CodexiaError

    where = KeyPath.parse(key)
    value = value_at(values_of(_resolved().settings, reveal=reveal), where)
    if where.secret and value and not reveal:
        raise CodexiaError(f"{where} is a secret; add --reveal to print it")
    if as_json or not isinstance(value, str | None):
        _print_json(value)
    else:
        typer.echo(value or "")


@app.command("set")
def set_value(
    key: Key,
    value: Annotated[
        str | None,
        typer.Argument(
            metavar="VALUE",
            show_default=False,
            help="JSON or plain text; - reads it from standard input, so that a secret is in no "
            "process list.",
        ),
    ] = None,
    *,
    generate: Annotated[
        bool, typer.Option("--generate", help="Make a random key and print it.")
    ] = False,
) -> None:
    """Change one setting in config.json."""
    from codexia.config_file import KeyPath, value_from_text, with_value

    where = KeyPath.parse(key)
    if generate == (value is not None):
        raise typer.BadParameter("give a VALUE or --generate", param_hint="VALUE")
    if generate and (not where.secret or str(where) == "api_keys"):
        raise typer.BadParameter("only for api_key and api_keys.NAME", param_hint="--generate")
    if generate:
        from codexia.cli.config_questions import random_key

        meant: Any = random_key()
    else:
        meant = value_from_text(where, _from_stdin(where) if value == "-" else value or "")
    changed = _file().change(lambda content: with_value(content, where, meant))
    if generate:
        typer.echo(meant)
    _tell(where, changed=changed)


@app.command("unset")
def unset(key: Key) -> None:
    """Take one setting out of config.json, back to its default."""
    from codexia.config_file import KeyPath, without

    where = KeyPath.parse(key)
    changed = _file().change(lambda content: without(content, where))
    _tell(where, changed=changed)


@app.command("edit")
def edit() -> None:
    """Open config.json in $VISUAL or $EDITOR.

    What a gateway would refuse is not saved; you may go on editing it.
    """
    from codexia.cli.config_edit import edit_file
    from codexia.cli.config_outcome import tell

    file = _file()
    changed = edit_file(file)
    if changed is None:
        typer.echo("nothing changed", err=True)
    else:
        tell(file, changed)


@app.command("path")
def path() -> None:
    """Print where config.json is."""
    typer.echo(_file().path)


@app.command("reset")
def reset(*, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Go back to the defaults; config.json is kept as config.json.bak."""
    from codexia.cli.config_outcome import tell
    from codexia.config import KEYS

    file = _file()
    if not file.path.is_symlink() and not file.path.exists():
        typer.echo(f"there is no {file.path}", err=True)
        return
    if not yes:
        typer.confirm(f"Go back to the defaults, without {file.path}?", abort=True)
    backup = file.set_aside()
    typer.echo(f"removed {file.path}, kept as {backup}", err=True)
    tell(file, KEYS, saved=False)


@app.command("schema")
def schema() -> None:
    """Print the JSON schema of config.json, for editors."""
    from codexia.settings import Settings

    _print_json(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **Settings.model_json_schema(),
            "title": "Codexia config.json",
            "description": "Settings of Codexia. All are optional, and live in a running gateway.",
        }
    )


def _file() -> ConfigFile:
    from codexia.config_file import ConfigFile
    from codexia.paths import Home

    return ConfigFile(Home.from_environment(), os.environ)


def _resolved() -> Resolved:
    from codexia.config import read_config_file, resolve

    path = _file().path
    return resolve({}, os.environ, read_config_file(path), path)


def _tell(where: KeyPath, *, changed: bool) -> None:
    from codexia.cli.config_outcome import tell

    if changed:
        tell(_file(), [where.key])
    else:
        typer.echo(f"{where} is so already; nothing changed", err=True)


def _from_stdin(where: KeyPath) -> str:
    """Return one value, not shown while it is typed.

    Raises:
        CodexiaError: there is none.
    """
    from getpass import getpass

    from codexia.errors import CodexiaError

    text = getpass(f"{where}: ") if sys.stdin.isatty() else sys.stdin.read()
    if not text.strip():
        raise CodexiaError("nothing came on standard input; nothing was saved")
    return text.strip()


def _print_json(value: Any) -> None:
    import orjson

    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))
