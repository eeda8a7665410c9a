"""What gateways do for web pages of strangers: `python -m bench.opponent_probe --opponents DIRECTORY`.

Each gets the same requests for one short answer, with no local key, as a page in a browser on
the same machine could make it send them: under a foreign Host (as after DNS rebinding), from a
foreign Origin, from a foreign Origin in a form that no browser asks permission for first, and
that asking itself. The table tells the statuses, whether the answer came (`answers`), and whom
its CORS headers let read it (`readable by`). Every gateway runs as it is measured: without a key,
but for LiteLLM and claude-code-router, which have one.
"""

from __future__ import annotations

import http.client
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import orjson
import typer

from bench import table
from bench.circumstances import Circumstances
from bench.dialects import DIALECTS
from bench.job import PROMPT
from bench.opponents import find
from bench.processes import Gateway, ProcessFailed, Simulator
from bench.scenario import Streams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.dialects import DialectName

ORIGIN = "https://evil.example"
TIMEOUT_S = 30
ONE = Streams(concurrency=1, streams=1, deltas=1)

JSON = {"content-type": "application/json", "user-agent": "Mozilla/5.0"}
PROBES: dict[str, tuple[str, dict[str, str]]] = {
    "no key": ("POST", JSON),
    "foreign Host": ("POST", JSON | {"host": "evil.example.com"}),
    "foreign Origin": ("POST", JSON | {"origin": ORIGIN}),
    "foreign Origin, text/plain": ("POST", JSON | {"origin": ORIGIN, "content-type": "text/plain"}),
    "preflight": (
        "OPTIONS",
        {
            "origin": ORIGIN,
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type",
        },
    ),
}
"""Method and headers by column."""


def main(
    opponents: Annotated[
        Path | None, typer.Option(help="Where bench.install_opponents installed them.")
    ] = None,
    against: Annotated[list[str] | None, typer.Option(help="Only these.")] = None,
) -> None:
    """Show what gateways do for web pages of strangers."""
    found, absent = find(opponents, against or ())
    circumstances = Circumstances.now()
    rows: list[list[str]] = []
    with TemporaryDirectory(prefix="codexia-bench-") as folder, Simulator() as simulator:
        with Gateway(Path(folder) / "codexia", simulator, simulator.credentials()) as gateway:
            for name in ("messages", "chat"):
                url = gateway.url + DIALECTS[name].path
                rows.append(_row(f"codexia {name}", url, name))
        for opponent in found:
            scratch = Path(folder) / opponent.name
            scratch.mkdir(mode=0o700)
            with ExitStack() as stack:
                try:
                    lanes = stack.enter_context(opponent.start(scratch, simulator)).lanes
                except ProcessFailed as error:
                    absent[opponent.name] = str(error)
                    continue
                rows += [_row(lane.name, lane.url, lane.dialect, lane.body) for lane in lanes]
    circumstances.versions.update({each.name: each.version for each in found})
    print(circumstances.lines(), end="\n\n")
    for name, reason in absent.items():
        print(f"{name}: skipped, {reason}")
    table.show(("gateway", *PROBES), rows)


def _row(name: str, url: str, dialect: DialectName, body: str = "") -> list[str]:
    asked = body or orjson.dumps(DIALECTS[dialect].body(PROMPT)).decode()
    content = asked.replace(PROMPT, ONE.prompt).encode()
    return [name, *(_probe(url, method, headers, content) for method, headers in PROBES.values())]


def _probe(url: str, method: str, headers: Mapping[str, str], content: bytes) -> str:
    """Return what came of one request, as a cell."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc, timeout=TIMEOUT_S)
    try:
        body = content if method == "POST" else None
        connection.request(method, address.path, body, dict(headers))
        reply = connection.getresponse()
        answered = ONE.text.encode() in reply.read()
    finally:
        connection.close()
    told = [f"{reply.status} answers" if answered else str(reply.status)]
    if reader := reply.headers["access-control-allow-origin"]:
        told.append(f"readable by {'this page' if reader == ORIGIN else reader}")
    return ", ".join(told)


if __name__ == "__main__":
    typer.run(main)
