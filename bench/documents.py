"""Tables in documents, each between two marks that say what it is made of.

    <!-- table paced of results/run.json -->
    ...
    <!-- end of table -->

Beside those of scenarios there are the names `bars`, `provenance` and `soak`. `table paced: x_nginx
events_per_s of ...` has these numbers only. The path is relative to `bench/`.
"""

from __future__ import annotations

import re
from pathlib import Path

from bench.report import bars_table, provenance, scenario_section, scenario_table
from bench.results import Result
from bench.soak import Soak, soak_table

BENCH = Path(__file__).parent
DOCUMENTS = (BENCH / "README.md", BENCH.parent / "README.md")

MARKED = re.compile(
    r"<!-- table (?P<what>(?P<name>\w+)(: (?P<numbers>[\w ]+?))?) of (?P<file>\S+) -->\n"
    r".*?<!-- end of table -->",
    re.DOTALL,
)


def rendered(text: str, replaced: str | None = None) -> str:
    """Return a document with its tables made anew.

    Args:
        text: of the document.
        replaced: a run's or a soak's file that the tables of its kind are made of from now on;
            None for what they name.
    """
    replaces_soak = replaced is not None and _is_soak(BENCH / replaced)

    def table(mark: re.Match[str]) -> str:
        is_its = replaced is not None and (mark["name"] == "soak") == replaces_soak
        file = replaced if replaced is not None and is_its else mark["file"]
        content = _table(BENCH / file, mark["name"], (mark["numbers"] or "").split())
        return f"<!-- table {mark['what']} of {file} -->\n{content}\n<!-- end of table -->"

    return MARKED.sub(table, text)


def write_tables(path: Path) -> list[Path]:
    """Make every table of a saved run or soak; return the documents that changed."""
    file = path.resolve().relative_to(BENCH).as_posix()
    changed: list[Path] = []
    for document in DOCUMENTS:
        text = document.read_text()
        if (now := rendered(text, file)) != text:
            document.write_text(now)
            changed.append(document)
    return changed


def _table(path: Path, name: str, numbers: list[str]) -> str:
    match name:
        case "soak":
            return soak_table(Soak.read(path))
        case "bars":
            return bars_table(Result.read(path))
        case "provenance":
            return f"```\n{provenance(Result.read(path))}\n```"
        case _ if numbers:
            return scenario_table(Result.read(path), name, numbers)
        case _:
            return scenario_section(Result.read(path), name)


def _is_soak(path: Path) -> bool:
    return b'"memory_mb"' in path.read_bytes()
