"""Workers and a supervisor of versions that do not understand each other."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from codexia.control import PROTOCOL, GenerationSpec, Snapshot
from codexia.settings import Settings
from codexia_supervisor.snapshot import build_snapshot
from codexia_workers.worker import Worker

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def snapshot(revision: int, protocol: int = PROTOCOL, **changes: int) -> Snapshot:
    first = build_snapshot(Settings(), None, "", (), 1, 0)
    return first.model_copy(update={"revision": revision, "protocol": protocol, **changes})


def spec(tmp_path: Path, protocol: int = PROTOCOL) -> GenerationSpec:
    return GenerationSpec(
        generation=1,
        version="1",
        workers=1,
        bind_host="127.0.0.1",
        bind_port=0,
        listener_fd=-1,
        control_socket=str(tmp_path / "supervisor.sock"),
        generation_socket=str(tmp_path / "generation-1.sock"),
        snapshot=snapshot(1, protocol),
    )


def test_snapshot_of_another_protocol_is_left_alone_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(spec(tmp_path))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            worker._adopt(b'{"protocol": 99, "nothing": "else is known"}')
    assert worker.serving.snapshot.revision == 1
    assert len(caplog.records) == 1
    assert "protocol 99" in caplog.text
    worker._adopt(snapshot(2).model_dump_json().encode())
    assert worker.serving.snapshot.revision == 2


def test_generation_of_another_protocol_refuses_to_start_and_says_what_to_do(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "codexia_workers"],
        input=spec(tmp_path, protocol=99).model_dump_json() + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == os.EX_CONFIG
    assert "codexia serve --replace" in done.stderr
