"""`codexia batches` against a running gateway, and without one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.cli.command import assert_one_line_error, codexia
from tests.e2e.batches import jsonl, messages_request, openai_line
from tests.e2e.processes import Gateway, log_in, running_gateway, wait_until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.processes import Simulator

CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def gateway(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("gateway")
    log_in(home, simulator)
    with running_gateway(home, simulator, "--workers", "2") as gateway:
        yield gateway


def run(gateway: Gateway, *arguments: str) -> subprocess.CompletedProcess[str]:
    return codexia("batches", *arguments, CODEXIA_HOME=str(gateway.home))


def written(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "requests.jsonl"
    path.write_bytes(content)
    return str(path)


def submitted(gateway: Gateway, tmp_path: Path, content: bytes, *flags: str) -> str:
    done = run(gateway, "submit", written(tmp_path, content), *flags)
    assert done.returncode == 0, done
    [batch_id] = done.stdout.split()
    return batch_id


def shown(gateway: Gateway, batch_id: str) -> dict[str, Any]:
    done = run(gateway, "show", batch_id, "--json")
    assert done.returncode == 0, done
    return orjson.loads(done.stdout)


ANTHROPIC = [messages_request(f"id-{n}", f"SAY[[number {n}]]") for n in range(5)]
OPENAI = [openai_line(f"id-{n}", CHAT, f"SAY[[number {n}]]") for n in range(5)]


@pytest.mark.parametrize(
    ("content", "dialect"),
    [
        (jsonl(ANTHROPIC), "messages"),
        (orjson.dumps({"requests": ANTHROPIC}, option=orjson.OPT_INDENT_2), "messages"),
        (jsonl(OPENAI), "openai"),
    ],
    ids=["anthropic-lines", "anthropic-body", "openai-lines"],
)
def test_submit_watch_and_results(gateway: Gateway, tmp_path: Path, content: bytes, dialect: str):
    done = run(gateway, "submit", written(tmp_path, content), "--watch")
    assert done.returncode == 0, done
    [batch_id] = done.stdout.split()
    assert done.stderr.splitlines()[-1] == f"{batch_id}  ended, 5/5 done"
    assert shown(gateway, batch_id)["dialect"] == dialect
    lines = [orjson.loads(line) for line in run(gateway, "results", batch_id).stdout.splitlines()]
    assert sorted(line["custom_id"] for line in lines) == [f"id-{n}" for n in range(5)]
    member = "result" if dialect == "messages" else "response"
    assert all(member in line for line in lines)
    output = tmp_path / "results.jsonl"
    assert run(gateway, "results", batch_id, "-o", str(output)).returncode == 0
    assert [orjson.loads(line) for line in output.read_bytes().splitlines()] == lines


def test_list_and_show(gateway: Gateway, tmp_path: Path):
    batch_id = submitted(gateway, tmp_path, jsonl(ANTHROPIC), "--watch")
    table = run(gateway, "list").stdout.splitlines()
    assert table[0].split() == ["ID", "CREATED", "ENDPOINT", "PROGRESS", "STATE"]
    assert table[1].startswith(batch_id)
    assert table[1].endswith("5/5 done  ended")
    listed = orjson.loads(run(gateway, "list", "--json").stdout)
    assert listed[0]["id"] == batch_id
    told = dict(
        line.split(maxsplit=1) for line in run(gateway, "show", batch_id).stdout.splitlines()
    )
    assert (told["batch"], told["state"], told["progress"]) == (batch_id, "ended", "5/5 done")


def test_cancel_and_delete(gateway: Gateway, tmp_path: Path):
    slow = [messages_request(f"id-{n}", "STREAM[[deltas=60 gap_ms=100]]") for n in range(50)]
    batch_id = submitted(gateway, tmp_path, jsonl(slow))
    output = tmp_path / "results.jsonl"
    early = run(gateway, "results", batch_id, "-o", str(output))
    assert_one_line_error(early)
    assert [path.name for path in tmp_path.iterdir()] == ["requests.jsonl"]
    assert_one_line_error(run(gateway, "delete", batch_id))
    canceled = run(gateway, "cancel", batch_id)
    assert canceled.returncode == 0
    assert canceled.stdout.startswith(f"{batch_id}  cancel")
    assert run(gateway, "watch", batch_id).returncode == 0
    assert shown(gateway, batch_id)["counts"]["canceled"] > 0
    assert run(gateway, "delete", batch_id).returncode == 0
    assert_one_line_error(run(gateway, "show", batch_id))


def test_watch_of_nothing(gateway: Gateway):
    wait_until(
        lambda: all(
            batch["state"] in {"ended", "failed"}
            for batch in orjson.loads(run(gateway, "list", "--json").stdout)
        ),
        "nothing runs",
    )
    done = run(gateway, "watch")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "no batch runs\n")


def test_wrong_lines_are_told_before_anything_is_sent(gateway: Gateway, tmp_path: Path):
    before = run(gateway, "list", "--json").stdout
    content = jsonl([ANTHROPIC[0], ANTHROPIC[0], {"custom_id": "x", "params": 1}])
    done = run(gateway, "submit", written(tmp_path, content))
    assert_one_line_error(done, "line 2: custom_id", "line 3: params")
    assert run(gateway, "list", "--json").stdout == before


def test_a_body_that_the_gateway_refuses(gateway: Gateway, tmp_path: Path):
    done = run(gateway, "submit", written(tmp_path, b'{"requests": [{"custom_id": "a"}]}'))
    assert_one_line_error(done, "requests.0")


@pytest.mark.parametrize("command", ["show", "watch", "cancel", "delete", "results"])
def test_unknown_batches(gateway: Gateway, command: str):
    for batch_id in ("msgbatch_unknown", "../status"):
        assert_one_line_error(run(gateway, command, batch_id))


@pytest.mark.parametrize(
    "arguments",
    [["list"], ["show", "x"], ["watch"], ["cancel", "x"], ["delete", "x"], ["results", "x"]],
    ids=lambda arguments: arguments[0],
)
def test_without_a_gateway(tmp_path: Path, arguments: list[str]):
    done = codexia("batches", *arguments, CODEXIA_HOME=str(tmp_path))
    assert_one_line_error(done, "codexia serve")


def test_submit_without_a_gateway(tmp_path: Path):
    path = written(tmp_path, jsonl(ANTHROPIC))
    done = codexia("batches", "submit", path, CODEXIA_HOME=str(tmp_path))
    assert_one_line_error(done, "codexia serve")
