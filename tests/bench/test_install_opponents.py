"""The installer of opponents, with an npm that installs nothing from anywhere."""

from __future__ import annotations

import sys

import pytest
import typer
from typer.testing import CliRunner

from bench.install_opponents import main

NPM = """#!{python}
import json, pathlib, sys
arguments = dict(zip(sys.argv[1:], sys.argv[2:]))
wanted = sys.argv[-1].rpartition("@")
if wanted[2] != {served!r}:
    sys.exit("npm error notarget No matching version found")
folder = pathlib.Path(arguments["--prefix"], "node_modules", wanted[0])
folder.mkdir(parents=True)
folder.joinpath("package.json").write_text(json.dumps({{"version": {version!r}}}))
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Run the installer with a registry that serves one version."""
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", str(tools))
    app = typer.Typer()
    app.command()(main)

    def run(*arguments: str, served: str = "2.0.0", version: str = "2.0.0"):
        (tools / "npm").write_text(
            NPM.format(python=sys.executable, served=served, version=version)
        )
        (tools / "node").write_text("#!/bin/sh\necho v20.1.0\n")
        for tool in tools.iterdir():
            tool.chmod(0o700)
        return CliRunner().invoke(app, [str(tmp_path / "there"), *arguments])

    return run


def test_tried_version_is_installed_once(install):
    first, second = install("openai-oauth"), install("openai-oauth")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "openai-oauth: 2.0.0 on node 20.1.0\n" in first.stdout
    assert second.stdout == "openai-oauth: 2.0.0 is there\n"


def test_newest_version_is_taken_out_loud_where_the_tried_one_is_gone(install):
    told = install("openai-oauth", served="latest", version="3.1.1")
    assert told.exit_code == 0
    assert "No matching version found" in told.stdout
    assert "openai-oauth: 3.1.1 on node 20.1.0, NOT the tried 2.0.0" in told.stdout


def test_what_no_registry_serves_is_skipped_with_the_reason(install):
    told = install("openai-oauth", served="nothing")
    assert told.exit_code == 1
    assert "No matching version found" in told.stdout
    assert told.stdout.endswith("skipped: openai-oauth\n")
    assert "openai-oauth: not installed" in install("--list").stdout


def test_only_known_names_are_taken(install):
    told = install("nonsense")
    assert told.exit_code == 2
    assert "openai-oauth" in told.stderr


def test_nothing_is_written_outside_of_the_directory(install, tmp_path):
    install("--list")
    before = {*tmp_path.rglob("*"), tmp_path / "there"}
    install("openai-oauth")
    made = set(tmp_path.rglob("*")) - before
    assert tmp_path / "there" / "openai-oauth" / "installed.json" in made
    assert all(tmp_path / "there" in path.parents for path in made)
