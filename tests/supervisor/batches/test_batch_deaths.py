"""Supervisor and workers die at random, again and again: nothing is lost, nothing is double.

`CODEXIA_TEST_BATCH_ITEMS=10000` makes it the long run.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.supervisor.batches.conftest import line, request

if TYPE_CHECKING:
    from tests.supervisor.batches.conftest import Office

ITEMS = int(os.environ.get("CODEXIA_TEST_BATCH_ITEMS", "120"))
CONCURRENCY = 8
WORKER = Path(__file__).parent.parent / "batch_worker.py"


def start(office: Office, name: str, journal: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, WORKER, office.socket, name, journal])


async def test_every_item_has_one_result_whoever_dies(office: Office, tmp_path: Path):
    luck = random.Random(7)
    journals = [tmp_path / "journal-a", tmp_path / "journal-b"]
    batch = await office.create([request(f"r{n}", n=n) for n in range(ITEMS)])
    workers = [start(office, f"{journal.name}-0", journal) for journal in journals]
    deaths = 0
    try:
        while deaths < 4 + ITEMS // 250:
            now = await office.when(batch["id"], lambda _: True, "an answer")
            done = now["counts"]["succeeded"]
            if now["state"] == "ended":
                break
            await office.when(
                batch["id"],
                lambda each, more=done + ITEMS // 12: (
                    each["counts"]["succeeded"] >= min(more, ITEMS)
                ),
                "some more items done",
            )
            deaths += 1
            if luck.random() < 0.5:
                await asyncio.to_thread(office.running.kill)
                office.running.start()
            else:
                which = luck.randrange(2)
                workers[which].kill()
                workers[which].wait()
                name = f"{journals[which].name}-{deaths}"
                workers[which] = start(office, name, journals[which])
        ended = await office.ended(batch["id"])
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    assert deaths >= 4
    assert ended["counts"]["succeeded"] == ITEMS
    results = await office.results(batch["id"])
    assert [each["custom_id"] for each in results] == [f"r{n}" for n in range(ITEMS)]
    assert [each["body"]["echo"]["n"] for each in results] == list(range(ITEMS))
    ran = sum(len(journal.read_bytes().splitlines()) for journal in journals)
    assert ITEMS <= ran <= ITEMS + deaths * CONCURRENCY


async def test_a_file_that_was_being_checked_is_checked_anew_after_a_death(office: Office):
    # Large enough that the check takes a process, which the death interrupts.
    lines = [line(f"l{n}", body={"model": "m", "input": "x" * 500}) for n in range(20_000)]
    batch = await office.create_of(await office.upload(lines))
    await asyncio.to_thread(office.running.kill)
    office.running.start()
    batch = await office.when(batch["id"], lambda each: each["state"] != "validating", "checked")
    assert (batch["state"], batch["counts"]["pending"]) == ("in_progress", 20_000)
