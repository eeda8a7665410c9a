"""`codexia completion`: the script for a shell, to put where that shell looks."""

from __future__ import annotations

from typing import Annotated, Literal

import typer


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish", "powershell"], typer.Argument()],
) -> None:
    """Print the completion script of a shell.

    To put it where that shell looks. For the shell that you are in, codexia --install-completion
    does that too.
    """
    from typer.completion import get_completion_script  # pyright: ignore[reportPrivateImportUsage]

    typer.echo(
        get_completion_script(
            prog_name="codexia", complete_var="_CODEXIA_COMPLETE", shell=_name(shell)
        )
    )


def _name(shell: str) -> str:
    return "pwsh" if shell == "powershell" else shell
