"""The login against the simulated authority: refresh, single flight, adoption, failure."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from codexia.errors import LoginRequired
from codexia.oauth import renewal
from codexia.oauth.credentials import exposed
from codexia.oauth.draft import Draft
from codexia.oauth.replies import AuthorityUnavailable, LoginExpired
from codexia.simulator import Simulator
from codexia_supervisor.login_keeper import LoginKeeper

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

DEADLINE_S = 15


@pytest.fixture
def auth_file(tmp_path: Path) -> Path:
    return tmp_path / "auth.json"


def store(path: Path, credentials: dict[str, Any]) -> None:
    draft = path.with_suffix(".new")
    draft.write_bytes(orjson.dumps(credentials))
    draft.chmod(0o600)
    draft.replace(path)


def store_raw(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def stored(path: Path) -> dict[str, Any]:
    return orjson.loads(path.read_bytes())


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - the condition is of another task's making
            await asyncio.sleep(0.01)


@asynccontextmanager
async def keeping(path: Path, simulator: Simulator) -> AsyncGenerator[LoginKeeper]:
    stopping = asyncio.Event()
    keeper = LoginKeeper(path, simulator.issuer, "test", lambda: None)
    keeper.reload()
    async with asyncio.TaskGroup() as group:
        group.create_task(keeper.run(stopping))
        try:
            yield keeper
        finally:
            stopping.set()
            keeper.wake()


async def test_no_file_is_a_hint(auth_file: Path) -> None:
    async with Simulator() as simulator, keeping(auth_file, simulator) as keeper:
        assert (keeper.login, keeper.hint) == (None, "not logged in; run `codexia login`")
        with pytest.raises(LoginRequired):
            await keeper.refresh(None)


async def test_fifty_callers_with_one_rejected_login_cause_one_refresh(auth_file: Path) -> None:
    async with Simulator() as simulator:
        store(auth_file, simulator.issue_credentials())
        async with keeping(auth_file, simulator) as keeper:
            assert keeper.login
            rejected = keeper.login.revision
            async with asyncio.TaskGroup() as group:
                for _ in range(50):
                    group.create_task(keeper.refresh(rejected))
            assert keeper.login.revision > rejected
        assert (simulator.stats.refreshes, simulator.stats.refresh_token_reuse) == (1, 0)
        token = keeper.login.access_token.get_secret_value()
        assert stored(auth_file)["access_token"] == token
        assert not exposed(auth_file)


async def test_login_is_refreshed_before_it_expires(auth_file: Path) -> None:
    async with Simulator() as simulator:
        store(auth_file, simulator.issue_credentials(expires_in_s=200))
        async with keeping(auth_file, simulator) as keeper:
            await until(lambda: simulator.stats.refreshes == 1)
            await until(lambda: keeper.login and keeper.login.expires_at > time.time() + 1000)


async def test_late_login_is_adopted(auth_file: Path) -> None:
    async with Simulator() as simulator, keeping(auth_file, simulator) as keeper:
        store(auth_file, simulator.issue_credentials())
        keeper.reload()
        assert keeper.login
        assert keeper.hint == ""
        auth_file.rename(auth_file.with_suffix(".gone"))  # noqa: ASYNC240 - one instant
        keeper.reload()
        assert keeper.login is None


async def test_token_that_another_process_refreshed_is_adopted_and_none_spent(
    auth_file: Path,
) -> None:
    async with Simulator() as simulator:
        store(auth_file, simulator.issue_credentials())
        async with keeping(auth_file, simulator) as keeper, keeping(auth_file, simulator) as other:
            assert keeper.login
            await other.refresh(None)
            await keeper.refresh(keeper.login.revision)
            assert keeper.login.access_token == other.login.access_token  # pyright: ignore[reportOptionalMemberAccess]
        assert (simulator.stats.refreshes, simulator.stats.refresh_token_reuse) == (1, 0)


REFRESHER = """
import asyncio, sys
from pathlib import Path
from codexia_supervisor.login_keeper import LoginKeeper

async def main(path, issuer):
    stopping = asyncio.Event()
    keeper = LoginKeeper(Path(path), issuer, "test", lambda: None)
    keeper.reload()
    async with asyncio.TaskGroup() as group:
        group.create_task(keeper.run(stopping))
        for _ in range(4):
            await keeper.refresh(None)
        stopping.set()
        keeper.wake()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_refreshers_in_three_processes_never_send_a_token_twice(auth_file: Path) -> None:
    async with Simulator() as simulator:
        store(auth_file, simulator.issue_credentials())
        command = (sys.executable, "-c", REFRESHER, str(auth_file), simulator.issuer)
        processes = [
            await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE) for _ in range(3)
        ]
        async with asyncio.timeout(30):
            errors = [(await process.communicate())[1].decode() for process in processes]
        assert [process.returncode for process in processes] == [0, 0, 0], errors
        assert simulator.stats.refresh_token_reuse == 0
        assert simulator.stats.refreshes >= 4


@pytest.mark.parametrize(
    "code", ["refresh_token_expired", "refresh_token_reused", "refresh_token_invalidated"]
)
@pytest.mark.parametrize("status", [400, 401])
async def test_dead_refresh_token_is_sent_once(auth_file: Path, code: str, status: int) -> None:
    async with Simulator() as simulator:
        store(auth_file, simulator.issue_credentials())
        async with keeping(auth_file, simulator) as keeper:
            assert keeper.login
            rejected = keeper.login.revision
            simulator.add_oauth_fault({"kind": code, "status": status})
            for _ in range(3):
                with pytest.raises(LoginExpired, match="run `codexia login`"):
                    await keeper.refresh(rejected)
            assert keeper.login is None
            assert "run `codexia login`" in keeper.hint
            assert simulator.stats.requests["POST /oauth/token"] == 1
            store(auth_file, simulator.issue_credentials())
            keeper.reload()
            assert keeper.login


async def test_refused_refresh_leaves_a_token_in_use_that_the_backend_still_takes(
    auth_file: Path,
) -> None:
    async with Simulator() as simulator:
        store(auth_file, simulator.issue_credentials())
        async with keeping(auth_file, simulator) as keeper:
            simulator.add_oauth_fault({"kind": "invalid_grant"})
            with pytest.raises(LoginExpired):
                await keeper.refresh(None)
            assert keeper.login
            assert "run `codexia login`" in keeper.problem


async def test_failing_authority_is_tried_again_while_the_old_token_lives(auth_file: Path) -> None:
    async with Simulator() as simulator:
        store(auth_file, simulator.issue_credentials(expires_in_s=200))
        simulator.add_oauth_fault({"kind": "503"})
        async with keeping(auth_file, simulator) as keeper:
            await until(lambda: keeper.problem)
            assert keeper.login
            assert "503" in keeper.problem
            await until(lambda: simulator.stats.refreshes == 1)
            await until(lambda: keeper.problem == "")


async def test_failing_authority_and_an_expired_token_are_told(auth_file: Path) -> None:
    async with Simulator() as simulator:
        store(auth_file, simulator.issue_credentials(expires_in_s=-1))
        simulator.add_oauth_fault({"kind": "502"}, 10)
        async with keeping(auth_file, simulator) as keeper:
            await until(lambda: "502" in keeper.hint)
            assert keeper.login is None
            with pytest.raises(AuthorityUnavailable):
                await keeper.refresh(0)


async def test_reply_without_a_new_refresh_token_keeps_the_old_one(auth_file: Path) -> None:
    async with Simulator() as simulator:
        credentials = simulator.issue_credentials()
        store(auth_file, credentials)
        simulator.add_oauth_fault({"kind": "partial", "without": ["refresh_token", "expires_in"]})
        async with keeping(auth_file, simulator) as keeper:
            await keeper.refresh(None)
            after = stored(auth_file)
            assert after["refresh_token"] == credentials["refresh_token"]
            assert after["access_token"] != credentials["access_token"]
            assert keeper.login
            assert keeper.login.expires_at > time.time()


async def test_copy_from_before_a_refresh_is_not_adopted(auth_file: Path) -> None:
    async with Simulator() as simulator:
        old = simulator.issue_credentials()
        store(auth_file, old)
        async with keeping(auth_file, simulator) as keeper:
            await keeper.refresh(None)
            fresh = keeper.login
            store(auth_file, old)
            keeper.reload()
            assert keeper.login == fresh


async def test_corrupt_file_keeps_the_login_and_is_a_problem(auth_file: Path) -> None:
    async with Simulator() as simulator:
        store(auth_file, simulator.issue_credentials())
        async with keeping(auth_file, simulator) as keeper:
            before = keeper.login
            store_raw(auth_file, b'{"access_tok')
            keeper.reload()
            assert keeper.login == before
            assert "not valid JSON" in keeper.problem


async def test_full_disk_shows_before_a_token_is_spent(auth_file: Path) -> None:
    async with Simulator() as simulator:
        store(auth_file, simulator.issue_credentials())
        async with keeping(auth_file, simulator) as keeper:
            limits = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
            try:
                with pytest.raises(AuthorityUnavailable, match="File too large"):
                    await keeper.refresh(None)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            assert simulator.stats.requests["POST /oauth/token"] == 0
            assert keeper.login
            assert "File too large" in keeper.problem
            await until(lambda: keeper.problem == "")
        assert (simulator.stats.refreshes, simulator.stats.refresh_token_reuse) == (1, 0)


async def test_disk_that_fails_after_the_answer_loses_no_token(
    auth_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Simulator() as simulator:
        store(auth_file, simulator.issue_credentials())
        full = True

        def refusing(save: Callable[..., None]) -> Callable[..., None]:
            def saved(*args: Any) -> None:
                if full:
                    raise OSError(28, "No space left on device")
                save(*args)

            return saved

        monkeypatch.setattr(Draft, "publish", refusing(Draft.publish))
        saving = refusing(renewal.write_credentials)
        monkeypatch.setattr(renewal, "write_credentials", saving)
        async with keeping(auth_file, simulator) as keeper:
            await keeper.refresh(None)
            assert keeper.login
            assert "could not be saved" in keeper.problem
            token = keeper.login.access_token.get_secret_value()
            full = False
            await until(lambda: keeper.problem == "")
            assert stored(auth_file)["access_token"] == token
        assert simulator.stats.refresh_token_reuse == 0


async def test_backend_that_refuses_every_token_does_not_spend_them_all(auth_file: Path) -> None:
    async with Simulator() as simulator:
        store(auth_file, simulator.issue_credentials())
        async with keeping(auth_file, simulator) as keeper:
            for _ in range(5):
                assert keeper.login
                await keeper.refresh(keeper.login.revision)
            with pytest.raises(LoginRequired, match="refuses every token"):
                await keeper.refresh(keeper.login.revision)
        assert simulator.stats.refreshes == 5


async def test_login_revision_outlives_the_supervisor(auth_file: Path) -> None:
    async with Simulator() as simulator:
        store(auth_file, simulator.issue_credentials())
        async with keeping(auth_file, simulator) as keeper:
            await keeper.refresh(None)
            before = keeper.login
        async with keeping(auth_file, simulator) as keeper:
            assert keeper.login == before


async def test_stop_waits_for_the_refresh_under_way(auth_file: Path) -> None:
    async with Simulator() as simulator:
        store(auth_file, simulator.issue_credentials())
        simulator.add_oauth_fault({"kind": "slow", "ms": 300})
        async with keeping(auth_file, simulator) as keeper, asyncio.TaskGroup() as group:
            group.create_task(keeper.refresh(None))
            await until(lambda: simulator.stats.requests["POST /oauth/token"])
        assert keeper.login
        token = keeper.login.access_token.get_secret_value()
        assert stored(auth_file)["access_token"] == token
