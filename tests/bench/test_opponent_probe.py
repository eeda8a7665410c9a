"""The probe of gateways by pages of strangers, with Codexia alone."""

from __future__ import annotations

import typer
from typer.testing import CliRunner

from bench.opponent_probe import main


def test_codexia_answers_no_page_of_a_stranger(monkeypatch):
    monkeypatch.delenv("CODEXIA_BENCH_OPPONENTS", raising=False)
    app = typer.Typer()
    app.command()(main)
    told = CliRunner().invoke(app)
    assert told.exit_code == 0
    assert "chatmock: skipped, not installed" in told.stdout
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")]
        for line in told.stdout.splitlines()
        if line.startswith("| codexia")
    ]
    assert rows == [
        ["codexia messages", "200 answers", "403", "403", "403", "403"],
        ["codexia chat", "200 answers", "403", "403", "403", "403"],
    ]
