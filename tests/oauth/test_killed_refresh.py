"""A refresh that is killed at every step: which logins are kept, and what is said of the others."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from codexia.oauth import lock
from codexia.oauth.attempt import Attempt
from codexia.oauth.client import AuthorityClient
from codexia.oauth.credentials import of_tokens, read_credentials, rendered
from codexia.oauth.draft import unfinished
from codexia.oauth.renewal import renew
from codexia.oauth.replies import AuthorityUnavailable, LoginExpired
from tests.e2e.processes import log_in, running_gateway, running_simulator, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.processes import Simulator

PROGRAM = Path(__file__).with_name("killed_refresh.py")
LOST = re.compile(
    r"the login is lost: its refresh token was sent at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC by "
    r"process \d+ and the answer was never saved, and the login server takes a token only once "
    r"\(refresh_token_reused\); run `codexia login`"
)

CHAT = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "hello"}]}

HOLDER = """
import asyncio, sys
from pathlib import Path
from codexia.oauth.lock import credentials_lock

async def main():
    async with credentials_lock(Path(sys.argv[1])):
        print("held", flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""

REFRESHER = """
import asyncio, sys
from pathlib import Path
from codexia.oauth.attempt import Attempt
from codexia.oauth.client import AuthorityClient
from codexia.oauth.credentials import read_credentials
from codexia.oauth.renewal import renew

path = Path(sys.argv[1])
asyncio.run(renew(path, read_credentials(path), AuthorityClient(sys.argv[2], "test")))
"""


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture
def auth_file(simulator: Simulator, tmp_path: Path) -> Path:
    simulator.http.post("/simulator/reset").raise_for_status()
    log_in(tmp_path, simulator)
    return tmp_path / "auth.json"


def killed_everywhere(directory: Path, simulator: Simulator) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(directory), simulator.url],
        stdout=subprocess.PIPE,
        check=True,
        timeout=100,
    )
    return [orjson.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def killed(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return killed_everywhere(tmp_path_factory.mktemp("killed"), simulator)


def set_grace(simulator: Simulator, grace_s: float) -> None:
    simulator.http.post("/simulator/authority", json={"reuse_grace_s": grace_s}).raise_for_status()


def renewed(auth_file: Path, simulator: Simulator) -> bool:
    """Whether a refresh gives another login."""
    return asyncio.run(renewed_here(auth_file, simulator))


async def renewed_here(auth_file: Path, simulator: Simulator) -> bool:
    known = read_credentials(auth_file)
    assert known
    after = await renew(auth_file, known, AuthorityClient(simulator.url, "test"))
    return after is not None and after.access_token != known.access_token


def test_every_kind_of_step_is_among_those(killed: list[dict[str, Any]]):
    steps = [each["where"] for each in killed]
    ordered = [
        "before flock auth.json.lock",
        "after flock auth.json.lock",
        "after open .auth.json.new",
        "before sending",
        "after the answer",
        "before fsync .auth.json.new",
        "before replace .auth.json.new",
        "after replace .auth.json.new",
        "after close auth.json.lock",
    ]
    remaining = iter(steps)
    assert [step for step in ordered if step not in remaining] == []


def test_login_is_kept_wherever_its_answer_was_not_underway(killed: list[dict[str, Any]]):
    others = [each for each in killed if each["where"] != "after the answer"]
    assert len(others) > 30
    assert [each for each in others if (each["answer"], each["reuse"]) != ("renewed", 0)] == []


def test_login_whose_answer_died_with_its_process_is_explained(killed: list[dict[str, Any]]):
    [lost] = [each for each in killed if each["where"] == "after the answer"]
    assert LOST.fullmatch(lost["answer"])
    assert lost["reuse"] == 1, "asked once whether the login stands, which nobody else can tell"


def test_nothing_is_left_beside_the_login(killed: list[dict[str, Any]]):
    assert {tuple(each["left"]) for each in killed} == {("auth.json", "auth.json.lock")}


def test_authority_that_forgives_a_lost_answer_loses_no_login(simulator: Simulator, tmp_path: Path):
    set_grace(simulator, 60)
    try:
        killed = killed_everywhere(tmp_path, simulator)
    finally:
        set_grace(simulator, 0)
    assert [each for each in killed if (each["answer"], each["reuse"]) != ("renewed", 0)] == []


def test_lost_login_is_told_to_everybody_and_its_token_sent_no_more(
    simulator: Simulator, auth_file: Path
):
    simulator.http.post("/simulator/oauth-faults", json={"fault": {"kind": "lost"}})
    with pytest.raises(AuthorityUnavailable, match="did not answer"):
        renewed(auth_file, simulator)
    for _ in range(3):
        with pytest.raises(LoginExpired, match=LOST):
            renewed(auth_file, simulator)
    assert simulator.stats["requests"]["POST /oauth/token"] == 2
    simulator.expire_tokens()
    with running_gateway(auth_file.parent, simulator, "--workers", "1") as gateway:
        reply = simulator.http.post(f"{gateway.url}/v1/chat/completions", json=CHAT)
        assert reply.status_code == 401
        assert LOST.fullmatch(reply.json()["error"]["message"])
        assert LOST.fullmatch(gateway.status()["login_hint"])
        assert simulator.stats["requests"]["POST /oauth/token"] == 2
        log_in(auth_file.parent, simulator)
        wait_until(lambda: gateway.status()["logged_in"], "a new login heals")


def test_refresh_that_is_killed_while_the_authority_works_can_be_repeated(
    simulator: Simulator, auth_file: Path
):
    slow = {"fault": {"kind": "slow", "ms": 60_000}}
    simulator.http.post("/simulator/oauth-faults", json=slow).raise_for_status()
    process = subprocess.Popen(
        [sys.executable, "-c", REFRESHER, str(auth_file), simulator.url], stderr=subprocess.DEVNULL
    )
    wait_until(lambda: simulator.stats["requests"].get("POST /oauth/token"), "it is sent")
    process.kill()
    process.wait()
    assert renewed(auth_file, simulator)
    assert simulator.stats["refresh_token_reuse"] == 0


def test_refresh_that_is_interrupted_still_saves_the_answer(simulator: Simulator, auth_file: Path):
    before = auth_file.read_bytes()
    slow = {"fault": {"kind": "slow", "ms": 500}}
    simulator.http.post("/simulator/oauth-faults", json=slow).raise_for_status()
    process = subprocess.Popen(
        [sys.executable, "-c", REFRESHER, str(auth_file), simulator.url], stderr=subprocess.DEVNULL
    )
    wait_until(lambda: simulator.stats["requests"].get("POST /oauth/token"), "it is sent")
    process.send_signal(signal.SIGINT)
    assert process.wait(20) != 0
    assert simulator.stats["refreshes"] == 1
    assert auth_file.read_bytes() != before
    assert renewed(auth_file, simulator)
    assert simulator.stats["refresh_token_reuse"] == 0


@contextmanager
def holding(auth_file: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(auth_file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_lock_of_a_killed_process_is_free(simulator: Simulator, auth_file: Path):
    with holding(auth_file) as holder:
        holder.kill()
        holder.wait()
        assert renewed(auth_file, simulator)


def test_stopped_holder_is_named_and_nothing_is_sent(
    simulator: Simulator, auth_file: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lock, "LOCK_TIMEOUT_S", 0.3)
    with holding(auth_file) as holder:
        holder.send_signal(signal.SIGSTOP)
        with pytest.raises(AuthorityUnavailable, match=rf"process {holder.pid} .*kill -CONT"):
            renewed(auth_file, simulator)
        assert simulator.stats["requests"].get("POST /oauth/token") is None
        holder.send_signal(signal.SIGCONT)
        holder.communicate("", timeout=20)
        assert renewed(auth_file, simulator)


async def test_lock_file_that_is_removed_while_one_waits_protects_all_the_same(
    simulator: Simulator, auth_file: Path
):
    with holding(auth_file) as holder:
        waiting = asyncio.get_running_loop().create_task(renewed_here(auth_file, simulator))
        await asyncio.sleep(0.2)  # it waits by now; if it does not, this test only proves less
        lock.lock_file_of(auth_file).unlink()
        async with lock.credentials_lock(auth_file):
            holder.kill()
            holder.wait()
            await asyncio.sleep(0.2)
            assert not waiting.done()
        assert await waiting


def test_draft_that_was_not_cut_to_its_length_is_found(tmp_path: Path):
    login = of_tokens("access", "refresh", 1, "account")
    (tmp_path / ".auth.json.new").write_bytes(rendered(login) + bytes(1000))
    assert unfinished(tmp_path / "auth.json") == login
    (tmp_path / ".auth.json.new").write_bytes(rendered(login)[:40])
    assert unfinished(tmp_path / "auth.json") is None


def test_draft_from_before_a_new_login_is_not_taken(simulator: Simulator, auth_file: Path):
    stranger = of_tokens("access", "refresh", 1, "account")
    auth_file.with_name(".auth.json.new").write_bytes(rendered(stranger))
    attempt = asdict(Attempt("of another token", 1, 1))
    lock.lock_file_of(auth_file).write_bytes(orjson.dumps({"attempt": attempt}))
    assert renewed(auth_file, simulator)
    after = read_credentials(auth_file)
    assert after
    assert after.access_token != "access"
    assert not auth_file.with_name(".auth.json.new").exists()
