"""`python -m bench`: run the scenarios, compare two runs, write the tables, soak."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench import compare, report, soak, table
from bench.circumstances import Circumstances
from bench.documents import write_tables
from bench.opponents import find
from bench.opponents.bare import BareTranslator
from bench.processes import nginx_version
from bench.results import Result
from bench.run import run
from bench.scenario import scenarios

app = typer.Typer(
    help="Measure Codexia from outside.", no_args_is_help=True, pretty_exceptions_enable=False
)

SavedRun = Annotated[Path, typer.Argument(exists=True, dir_okay=False)]


@app.command("run")
def run_scenarios(
    names: Annotated[list[str] | None, typer.Argument(help="Scenarios; all by default.")] = None,
    rounds: Annotated[int, typer.Option(help="Rounds of each; its own number by default.")] = 0,
    json: Annotated[Path | None, typer.Option(help="Where to save the run.")] = None,
    against: Annotated[
        list[str] | None, typer.Option(help="Opponents by name; those installed by default.")
    ] = None,
    opponents: Annotated[
        Path | None, typer.Option(help="Where `bench/install_opponents.py` put them.")
    ] = None,
    *,
    quick: Annotated[bool, typer.Option(help="Only see that everything runs.")] = False,
) -> None:
    """Measure, and print a table for each scenario."""
    known = scenarios()
    if unknown := set(names or ()) - set(known):
        raise typer.BadParameter(f"no scenario {', '.join(unknown)}; known: {', '.join(known)}")
    chosen = {name: known[name] for name in known if not names or name in names}
    if quick:
        chosen = {name: each.smoke() for name, each in chosen.items()}
    if rounds:
        chosen = {
            name: each.model_copy(update={"rounds": rounds, "opponent_rounds": rounds})
            for name, each in chosen.items()
        }
    circumstances = Circumstances.now()
    found, absent = find(opponents, against or ())
    circumstances.versions.update({each.name: each.version for each in found})
    result = Result(circumstances=circumstances, scenarios=chosen, absent=absent)
    if not nginx_version():
        result.absent["nginx"] = "not installed"
    run(result, [BareTranslator(), *found])
    if json:
        result.save(json)
    _print(result)


@app.command("compare")
def compare_runs(before: SavedRun, after: SavedRun) -> None:
    """Print every number of two saved runs, and whether they differ by more than they spread."""
    runs = Result.read(before), Result.read(after)
    for name in compare.differing_shapes(*runs):
        print(f"{name}: not the same streams in both runs")
    table.show(compare.COLUMNS, [change.row() for change in compare.changes(*runs)])


@app.command("tables")
def tables(result: SavedRun) -> None:
    """Write the tables of a saved run into the documents that have a place for them."""
    for document in write_tables(result):
        print(f"written: {document}")


@app.command("show")
def show(result: SavedRun) -> None:
    """Print the tables of a saved run."""
    _print(Result.read(result))


@app.command("soak")
def soak_gateway(
    minutes: Annotated[float, typer.Option(help="How long.")] = 20,
    streams: Annotated[int, typer.Option(help="At a time.")] = 500,
    workers: Annotated[int, typer.Option(help="Of the gateway.")] = 2,
    json: Annotated[Path | None, typer.Option(help="Where to save the run.")] = None,
) -> None:
    """Stream for long; exit 1 if a frame is lost or memory grows."""
    saved = soak.soak(minutes, streams, workers)
    if json:
        saved.save(json)
    print(soak.soak_table(saved))
    if not saved.passed:
        raise typer.Exit(1)


def _print(result: Result) -> None:
    print(f"\n{report.provenance(result)}")
    for name in result.scenarios:
        print(f"\n{name}: {report.scenario_section(result, name)}")
    if any(scenario.bars for scenario in result.scenarios.values()):
        print(f"\n{report.bars_table(result)}")


if __name__ == "__main__":
    app()
