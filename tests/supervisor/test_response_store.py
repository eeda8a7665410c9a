"""Stored responses in a real state.db."""

from __future__ import annotations

import os
import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest

from codexia.config import Settings
from codexia.errors import StateUnavailable
from codexia_supervisor import state_file
from codexia_supervisor.response_store import ResponseStore
from codexia_supervisor.state import State
from codexia_supervisor.state_file import StateFile
from codexia_supervisor.stored_responses import StoredResponses

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NOW = 1_800_000_000
NO_LIMIT = 2**40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state ?%.db"


@pytest.fixture
async def state(path: Path) -> AsyncIterator[State]:
    state = await State.open(path)
    yield state
    await state.close()


@pytest.fixture
def store(state: State) -> ResponseStore:
    return ResponseStore(state)


def damage(path: Path, content: bytes = b"not a database. " * 1000) -> None:
    """Put something else there, which others may read."""
    path.write_bytes(content)
    path.chmod(0o644)


def remove(path: Path) -> None:
    path.unlink()


def size_of(path: Path) -> int | None:
    return path.stat().st_size if path.exists() else None


def rows_in(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    [count] = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    connection.close()
    return count


def modes_in(directory: Path) -> list[int]:
    return [stat.S_IMODE(each.stat().st_mode) for each in directory.iterdir()]


async def ids(store: ResponseStore, names: list[str]) -> list[str]:
    return [name for name in names if await store.get("", name, 0) is not None]


async def test_what_was_put_is_got_and_a_second_put_replaces_it(store: ResponseStore):
    await store.put("mine", "resp_1", b"first", NOW)
    await store.put("mine", "resp_1", b"second", NOW)
    assert await store.get("mine", "resp_1", 0) == b"second"


async def test_another_key_gets_and_deletes_nothing(store: ResponseStore):
    await store.put("mine", "resp_1", b"secret", NOW)
    assert await store.get("", "resp_1", 0) is None
    assert await store.get("yours", "resp_1", 0) is None
    assert not await store.delete("yours", "resp_1", 0)
    await store.put("yours", "resp_1", b"other", NOW)
    assert await store.get("mine", "resp_1", 0) == b"secret"


async def test_deleted_is_gone_and_cannot_be_deleted_again(store: ResponseStore):
    await store.put("", "resp_1", b"x", NOW)
    assert await store.delete("", "resp_1", 0)
    assert not await store.delete("", "resp_1", 0)
    assert await store.get("", "resp_1", 0) is None


async def test_what_is_too_old_is_not_found_before_it_is_pruned(store: ResponseStore):
    await store.put("", "resp_1", b"x", NOW)
    assert await store.get("", "resp_1", NOW + 1) is None
    assert not await store.delete("", "resp_1", NOW + 1)
    assert await store.get("", "resp_1", NOW) == b"x"


async def test_pruning_forgets_the_aged(store: ResponseStore):
    await store.put("", "resp_old", b"x", NOW - 10)
    await store.put("", "resp_new", b"x", NOW)
    assert await store.prune(NOW - 5, NO_LIMIT) == 1
    assert await ids(store, ["resp_old", "resp_new"]) == ["resp_new"]


async def test_pruning_keeps_the_newest_that_fit(store: ResponseStore):
    names = [f"resp_{n}" for n in range(10)]
    for name in names:
        await store.put("", name, os.urandom(100_000), NOW)
    assert await store.prune(0, 350_000) == 7
    assert await ids(store, names) == names[-3:]
    assert await store.prune(0, 350_000) == 0


async def test_a_put_makes_a_response_young_again(store: ResponseStore):
    names = ["resp_a", "resp_b", "resp_a"]
    for name in names:
        await store.put("", name, os.urandom(1000), NOW)
    await store.prune(0, 1500)
    assert await ids(store, ["resp_a", "resp_b"]) == ["resp_a"]


async def test_pruning_gives_the_space_back(path: Path, state: State, store: ResponseStore):
    for n in range(20):
        await store.put("", f"resp_{n}", os.urandom(200_000), NOW)
    await store.prune(0, 0)
    await state.close()
    assert size_of(path) < 100_000


async def test_content_is_compressed(path: Path, state: State, store: ResponseStore):
    content = b"the same words again. " * 100_000
    await store.put("", "resp_1", content, NOW)
    assert await store.get("", "resp_1", 0) == content
    await state.close()
    assert size_of(path) < 100_000


async def test_items_are_found_over_responses_and_the_newest_of_an_id(store: ResponseStore):
    await store.put("", "resp_1", b"x", NOW, {"msg_1": b"one", "rs_1": b"old"})
    await store.put("", "resp_2", b"x", NOW, {"msg_2": b"two", "rs_1": b"new"})
    found = await store.items("", ["rs_1", "msg_2", "msg_1", "msg_3"], 0)
    assert found == {"msg_1": b"one", "msg_2": b"two", "rs_1": b"new"}


async def test_more_items_than_a_query_takes_are_found(store: ResponseStore):
    items = {f"msg_{n}": str(n).encode() for n in range(2500)}
    await store.put("", "resp_1", b"x", NOW, items)
    assert await store.items("", list(items), 0) == items


async def test_items_of_another_key_are_not_found(store: ResponseStore):
    await store.put("mine", "resp_1", b"x", NOW, {"msg_1": b"secret"})
    assert await store.items("yours", ["msg_1"], 0) == {}
    assert await store.items("", ["msg_1"], 0) == {}
    await store.put("yours", "resp_2", b"x", NOW, {"msg_1": b"other"})
    assert await store.items("mine", ["msg_1"], 0) == {"msg_1": b"secret"}


async def test_items_go_when_their_response_is_deleted_or_replaced(
    path: Path, state: State, store: ResponseStore
):
    await store.put("", "resp_1", b"x", NOW, {"msg_1": b"deleted"})
    await store.put("", "resp_2", b"x", NOW, {"msg_2": b"replaced"})
    await store.delete("", "resp_1", 0)
    await store.put("", "resp_2", b"x", NOW, {"msg_3": b"kept"})
    assert await store.items("", ["msg_1", "msg_2", "msg_3"], 0) == {"msg_3": b"kept"}
    await state.close()
    assert rows_in(path, "items") == 1


async def test_items_go_when_their_response_is_pruned(
    path: Path, state: State, store: ResponseStore
):
    await store.put("", "resp_old", b"x", NOW - 10, {"msg_1": b"old"})
    await store.put("", "resp_big", b"x", NOW, {"msg_2": os.urandom(5000)})
    await store.put("", "resp_new", b"x", NOW, {"msg_3": b"new"})
    assert await store.items("", ["msg_1"], NOW) == {}
    assert await store.prune(NOW - 5, 1000) == 2
    assert await store.items("", ["msg_1", "msg_2", "msg_3"], 0) == {"msg_3": b"new"}
    await state.close()
    assert rows_in(path, "items") == 1


async def test_a_file_of_the_first_version_keeps_its_responses_and_takes_items(
    path: Path, state: State, store: ResponseStore
):
    await store.put("", "resp_1", b"x", NOW)
    await state.close()
    with sqlite3.connect(path) as connection:
        for table in ("items", "files", "batch_items", "batches"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("UPDATE schema_version SET version = 1")
    connection.close()
    for _ in range(2):
        migrated = await State.open(path)
        await ResponseStore(migrated).put("", "resp_2", b"y", NOW, {"msg_1": b"item"})
        assert await ResponseStore(migrated).get("", "resp_1", 0) == b"x"
        assert await ResponseStore(migrated).items("", ["msg_1"], 0) == {"msg_1": b"item"}
        await migrated.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT version FROM schema_version").fetchall() == [(3,)]
    connection.close()


async def test_content_survives_a_restart(path: Path, state: State, store: ResponseStore):
    await store.put("", "resp_1", b"x", NOW)
    await state.close()
    later = await State.open(path)
    assert await ResponseStore(later).get("", "resp_1", 0) == b"x"
    await later.close()


async def test_all_files_are_for_this_user_only(tmp_path: Path, path: Path):
    damage(path, b"")
    state = await State.open(path)
    await ResponseStore(state).put("", "resp_1", b"x", NOW)
    modes = modes_in(tmp_path)
    await state.close()
    assert modes == [0o600, 0o600, 0o600]


async def test_a_file_of_a_newer_version_is_left_alone(path: Path, state: State):
    await state.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE schema_version SET version = 99")
    connection.close()
    with pytest.raises(StateUnavailable, match="newer codexia"):
        await State.open(path)


@pytest.fixture
async def front(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StoredResponses]:
    monkeypatch.setattr(state_file, "RETRY_S", 0.0)
    front = StoredResponses(StateFile(path), Settings)
    yield front
    await front._file.close()


async def test_looking_creates_no_file(front: StoredResponses, path: Path):
    assert await front.get("", "resp_1") is None
    assert not await front.delete("", "resp_1")
    assert await front.items("", ["msg_1"]) == {}
    assert size_of(path) is None


async def test_no_room_stores_nothing(path: Path):
    front = StoredResponses(StateFile(path), lambda: Settings(response_store_max_mb=0))
    await front.put("", "resp_1", b"x")
    assert size_of(path) is None


async def test_a_file_that_is_no_database_is_a_problem_until_it_is_moved(
    front: StoredResponses, path: Path, caplog: pytest.LogCaptureFixture
):
    damage(path)
    for _ in range(3):
        with pytest.raises(StateUnavailable, match="not a database; move it away"):
            await front.put("", "resp_1", b"x")
    assert "not a database" in front._file.problem
    assert len(caplog.records) == 1
    remove(path)
    await front.put("", "resp_1", b"x")
    assert front._file.problem == ""
    assert await front.get("", "resp_1") == b"x"


async def test_a_locked_file_is_a_problem_until_it_is_free(front: StoredResponses, path: Path):
    await front.put("", "resp_1", b"x")
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StateUnavailable, match="locked; close whatever has it open"):
        await front.put("", "resp_2", b"x")
    assert "locked" in front._file.problem
    blocker.execute("ROLLBACK")
    blocker.close()
    await front.put("", "resp_2", b"x")
    assert (front._file.problem, await front.get("", "resp_1")) == ("", b"x")


async def test_after_a_failure_calls_fail_at_once(path: Path):
    front = StoredResponses(StateFile(path), Settings)
    damage(path)
    with pytest.raises(StateUnavailable):
        await front.put("", "resp_1", b"x")
    remove(path)
    with pytest.raises(StateUnavailable, match="not a database"):
        await front.put("", "resp_1", b"x")
    assert size_of(path) is None
