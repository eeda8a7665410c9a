"""`codexia recordings`: exchanges that were recorded, and what becomes of them today."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codexia.cli.options import AsJson

if TYPE_CHECKING:
    from codexia.recordings.folder import Folder
    from codexia.recordings.recording import Recording

app = typer.Typer(
    name="recordings",
    help="Look at recorded exchanges and play them again.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

RecordingId = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="Request id as in the log and x-request-id, its beginning, or a file."
    ),
]

MOST_SHOWN = 2000
"""Characters of a body that `show` prints."""


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the recordings, the newest first."""
    import orjson

    from codexia.local_time import local_time

    found = _folder().recordings()
    if as_json:
        summaries = [_summary(recording) for _, recording in found]
        typer.echo(orjson.dumps(summaries))
        return
    rows = [("ID", "TIME", "DIALECT", "MODEL", "STATUS", "OUTCOME")] + [
        (
            recording.id,
            local_time(recording.at) or "-",
            recording.dialect,
            recording.model or "-",
            str(recording.reply.status or "-"),
            recording.code or recording.outcome or "-",
        )
        for _, recording in found
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


@app.command()
def show(recording_id: RecordingId, *, as_json: AsJson = False) -> None:
    """Show one exchange: both requests and both replies."""
    path = _path(recording_id)
    recording = _read(path)
    if as_json:
        typer.echo(recording.model_dump_json(indent=2))
        return
    for label, value in _summary(recording).items():
        typer.echo(f"{label:<10}{'-' if value in {'', None} else value}")
    typer.echo(f"{'file':<10}{path}")
    request, reply = recording.request, recording.reply
    _part(f"client: {request.method} {request.path}", request.headers, request.body)
    for number, call in enumerate(recording.upstream, 1):
        sent, got = call.request, call.reply
        _part(f"backend {number}: {sent.method} {sent.path}", sent.headers, sent.body)
        title = f"backend {number}: {got.status}, {len(got.parts)} reads, {got.end}"
        _part(title, got.headers, got.body)
    title = f"client: {reply.status}, {len(reply.parts)} sends, {reply.end}"
    _part(title, reply.headers, reply.body)


@app.command()
def replay(
    recording_id: RecordingId,
    *,
    paced: Annotated[
        bool, typer.Option("--paced", help="Let the backend take as long as it did.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Play an exchange again and compare what the client gets.

    The exit code is 1 if that differs. A gateway of a scratch home gets the recorded request, and the simulator answers it by the
    backend's recorded replies, read by read.
    """
    import orjson

    from codexia.recordings.replay import replay as play

    recording = _read(_path(recording_id))
    outcome = play(recording, paced=paced)
    difference = outcome.difference
    if as_json:
        told: dict[str, Any] = {"id": recording.id, "same": difference is None}
        if difference is not None:
            told["difference"] = {
                "where": difference.where,
                "recorded": difference.recorded,
                "replayed": difference.replayed,
            }
        typer.echo(orjson.dumps(told))
    elif difference is None:
        what = "the same reply" if recording.content else "a reply of the same shape"
        typer.echo(f"{recording.id}: {what}, status {outcome.status}")
    else:
        typer.echo(f"{recording.id}: another reply; the first difference is in {difference.where}")
        typer.echo(f"- {difference.recorded}")
        typer.echo(f"+ {difference.replayed}")
    if difference is not None:
        raise typer.Exit(1)


@app.command()
def export(
    recording_id: RecordingId,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to.")],
    *,
    without_content: Annotated[
        bool,
        typer.Option("--without-content", help="Leave texts out, all but their lengths."),
    ] = False,
) -> None:
    """Copy a recording, for a bug report.

    Read it first: texts are in it, unless you leave them out.
    """
    from codexia.files import replace_file
    from codexia.recordings.stripping import stripped

    path = _path(recording_id)
    recording = _read(path)
    content = stripped(recording).model_dump_json().encode() if without_content else None
    replace_file(file, content or path.read_bytes())


@app.command()
def clear(*, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Remove all recordings."""
    folder = _folder()
    if not yes:
        typer.confirm(f"Remove {len(folder.sizes())} recordings?", abort=True)
    typer.echo(f"{folder.clear()} removed")


def _folder() -> Folder:
    from codexia.paths import Home
    from codexia.recordings.folder import Folder

    return Folder(Home.from_environment().recordings)


def _path(recording_id: str) -> Path:
    """Return the file that is meant: an exported one, or that of an id."""
    path = Path(recording_id)
    return path if path.suffix == ".json" else _folder().find(recording_id)


def _read(path: Path) -> Recording:
    from codexia.recordings.folder import read_recording

    return read_recording(path)


def _summary(recording: Recording) -> dict[str, Any]:
    return {
        "id": recording.id,
        "at": recording.at,
        "version": recording.version,
        "dialect": recording.dialect,
        "model": recording.model,
        "key": recording.key,
        "status": recording.reply.status,
        "outcome": recording.outcome,
        "code": recording.code,
        "content": recording.content,
        "calls": len(recording.upstream),
    }


def _part(title: str, headers: tuple[tuple[str, str], ...], body: str) -> None:
    typer.echo(f"\n== {title}")
    for name, value in headers:
        typer.echo(f"{name}: {value}")
    rest = len(body) - MOST_SHOWN
    typer.echo("\n" + body[:MOST_SHOWN] + (f"... {rest} more" if rest > 0 else ""))
