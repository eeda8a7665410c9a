"""`codexia models`: the models on offer."""

from __future__ import annotations

import typer

from codexia.cli.options import AsJson


def models(*, as_json: AsJson = False) -> None:
    """List the models on offer.

    It is what /v1/models returns, without your aliases; while no gateway runs, the built-in list.
    """
    import orjson

    from codexia.control_client import ControlClient
    from codexia.errors import SupervisorUnavailable
    from codexia.models import BUILT_IN
    from codexia.paths import Home

    try:
        ids = ControlClient(Home.from_environment().control_socket).status().models
        source = "gateway"
    except SupervisorUnavailable:
        ids, source = BUILT_IN, "built-in"
    if as_json:
        typer.echo(orjson.dumps({"source": source, "models": ids}))
        return
    for model_id in ids:
        typer.echo(model_id)
    if source == "built-in":
        typer.echo(
            "(built-in list; the account's own is known while `codexia serve` runs)", err=True
        )
