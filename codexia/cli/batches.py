"""`codexia batches`: the batches of the running gateway."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codexia.cli.options import AsJson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import TaskID

    from codexia.batch_client import BatchClient
    from codexia.batches import Batch

app = typer.Typer(
    name="batches",
    help="Submit batches of requests, watch them, fetch results.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

BatchId = Annotated[str, typer.Argument(metavar="ID", help="The batch.")]


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the batches of all local keys, the newest first."""
    import orjson

    from codexia.batch_watch import progress_of, state_of
    from codexia.local_time import local_time

    batches = list(_client().batches())
    if as_json:
        typer.echo(orjson.dumps([batch.model_dump() for batch in batches]))
        return
    now = time.time()
    rows = [("ID", "CREATED", "ENDPOINT", "PROGRESS", "STATE")] + [
        (
            batch.id,
            local_time(batch.created_at) or "-",
            batch.endpoint,
            progress_of(batch),
            state_of(batch, now),
        )
        for batch in batches
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


@app.command()
def show(batch_id: BatchId, *, as_json: AsJson = False) -> None:
    """Show one batch."""
    batch = _client().batch(batch_id)
    if as_json:
        typer.echo(batch.model_dump_json(indent=2))
        return
    for label, text in _lines(batch):
        typer.echo(f"{label:<10}{text}")


@app.command()
def watch(
    batch_id: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="The batch; all that run if none is named."),
    ] = None,
) -> None:
    """Watch batches until they end; the exit code is 1 if one failed."""
    from codexia.batch_watch import OVER

    client = _client()
    ids = (
        [batch_id]
        if batch_id
        else [batch.id for batch in client.batches() if batch.state not in OVER]
    )
    if not ids:
        typer.echo("no batch runs", err=True)
        return
    _watch(client, ids)


@app.command()
def cancel(batch_id: BatchId) -> None:
    """Cancel a batch; requests that run may finish."""
    from codexia.batch_watch import progress_of, state_of

    batch = _client().cancel(batch_id)
    typer.echo(f"{batch.id}  {state_of(batch, time.time())}, {progress_of(batch)}")


@app.command()
def delete(batch_id: BatchId) -> None:
    """Delete a batch that has ended, with its results."""
    _client().delete(batch_id)


@app.command()
def results(
    batch_id: BatchId,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to. [default: standard output]"),
    ] = None,
) -> None:
    """Fetch the results of a batch that has ended, one JSON line a request.

    A file is there when it is complete, and not before.
    """
    from codexia.files import replacing

    lines = _client().result_lines(batch_id)
    if output is None:
        for line in lines:
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        return
    with replacing(output) as file:
        file.writelines(lines)


@app.command()
def submit(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Requests: lines in Anthropic's or OpenAI's form, or one object with `requests`.",
        ),
    ],
    *,
    key: Annotated[
        str,
        typer.Option("--key", metavar="NAME", help="Local key whose clients are to see the batch."),
    ] = "",
    watching: Annotated[bool, typer.Option("--watch", help="Watch it until it ends.")] = False,
) -> None:
    """Make a batch of a file of requests, and print its id."""
    from codexia.batch_input import BatchInput

    _check_key_name(key)
    client = _client()
    client.status()  # before a long look at the file
    batch = client.submit(BatchInput(file), key)
    typer.echo(batch.id)
    if watching:
        _watch(client, [batch.id])


def _check_key_name(name: str) -> None:
    """Refuse a name that no local key has; it may be a key itself, so it is not repeated.

    Raises:
        BadRequest: there is none.
    """
    from codexia.cli.options import settings_in_force
    from codexia.errors import BadRequest
    from codexia.paths import Home

    # A key that was given to `serve` as a flag goes by the name `default`.
    known = {
        "",
        "default",
        *(key.name for key in settings_in_force(Home.from_environment(), {}).keys),
    }
    if name not in known:
        raise BadRequest("--key: no local key has that name; `codexia config show` lists them")


def _client() -> BatchClient:
    from codexia.batch_client import BatchClient
    from codexia.paths import Home

    return BatchClient(Home.from_environment().control_socket)


def _watch(client: BatchClient, ids: list[str]) -> None:
    from codexia.batch_watch import watched

    show_all = _bars if sys.stderr.isatty() else _plain
    batches = show_all(watched(client, ids))
    for batch in batches:
        for problem in batch.problems:
            where = "" if problem.line is None else f"line {problem.line}: "
            typer.echo(f"{batch.id}: {where}{problem.message}", err=True)
    if any(batch.state == "failed" for batch in batches):
        raise typer.Exit(1)


def _plain(states: Iterator[list[Batch]]) -> list[Batch]:
    """Print a line at every change; return the last state."""
    from codexia.batch_watch import progress_of, state_of

    told: dict[str, str] = {}
    batches: list[Batch] = []
    for batches in states:
        for batch in batches:
            line = f"{batch.id}  {state_of(batch, time.time())}, {progress_of(batch)}"
            if told.get(batch.id) != line:
                typer.echo(line, err=True)
                told[batch.id] = line
    return batches


def _bars(states: Iterator[list[Batch]]) -> list[Batch]:
    """Draw a bar a batch; return the last state."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from codexia.batch_watch import done, progress_of, state_of

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    batches: list[Batch] = []
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks: dict[str, TaskID] = {}
        for batches in states:
            for batch in batches:
                text = f"{batch.id}  {state_of(batch, time.time())}, {progress_of(batch)}"
                if batch.id not in tasks:
                    tasks[batch.id] = progress.add_task(text)
                progress.update(
                    tasks[batch.id],
                    description=text,
                    completed=done(batch),
                    total=batch.counts.total or None,
                )
    return batches


def _lines(batch: Batch) -> list[tuple[str, str]]:
    from codexia.batch_watch import progress_of, state_of
    from codexia.local_time import local_time

    times = {
        "created": batch.created_at,
        "started": batch.started_at,
        "canceled": batch.cancel_initiated_at,
        "ended": batch.ended_at,
        "expires": None if batch.ended_at else batch.expires_at,
        "kept till": batch.results_until,
    }
    lines = [
        ("batch", batch.id),
        ("endpoint", batch.endpoint),
        ("state", state_of(batch, time.time())),
        ("progress", progress_of(batch)),
    ]
    lines += [(label, local_time(at) or "-") for label, at in times.items() if at is not None]
    lines += [
        (
            "problem",
            problem.message if problem.line is None else f"line {problem.line}: {problem.message}",
        )
        for problem in batch.problems
    ]
    return lines
