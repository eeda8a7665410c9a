"""No secret shows where it does not belong: a search of everything that a gateway leaves.

The canaries are a real login's tokens, a local key and a prompt; the places are both outputs
at the most talkative level, the argv and environment of every child, and the home's files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest

from tests.cli.command import codexia
from tests.cli.login_process import LoginProcess
from tests.e2e.processes import ForgetfulGateway, children, running_gateway, wait_until
from tests.e2e.streams import DIALECTS, PATHS, body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.processes import Gateway, Simulator

KEY = "local-key-canary-4f1c9a"
NAMED_KEY = "named-key-canary-77d20e"
WRONG_KEY = "wrong-key-canary-b81e35"
PROMPT = "prompt-canary-e60c42"

FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "cut", "after": 5},
    {"kind": "garbage", "after": 4},
    {"kind": "failed", "code": "server_error", "after": 5},
    {"kind": "truncate", "after": 5},
    {"kind": "429"},
    {"kind": "403"},
    {"kind": "503"},
)

WRONG_FIELDS: tuple[dict[str, Any], ...] = (
    {"model": "no-such-model"},
    {"tool_choice": PROMPT},
    {"tools": [{"type": "no-such-type", "description": PROMPT}]},
    {"tools": PROMPT},
    {"messages": PROMPT, "input": {"text": PROMPT}},
    {"messages": [{"role": "user", "content": {"text": PROMPT}}], "input": [PROMPT]},
    {"stop": {PROMPT: 1}, "n": PROMPT, "stop_sequences": PROMPT},
)
JSON = {"content-type": "application/json"}


@dataclass
class Searched:
    """Everything that was searched, by a name for the place, and what may not be in it.

    Attributes:
        tokens: every access and refresh token that the login went through.
    """

    places: dict[str, str]
    tokens: dict[str, str]

    def hits(self, canaries: dict[str, str], *but: str) -> list[str]:
        return [
            f"{name} in {place}"
            for place, content in self.places.items()
            if not place.startswith(but)
            for name, canary in canaries.items()
            if canary in content
        ]


def descendants(pid: int) -> Iterator[int]:
    for child in children(pid):
        yield child
        yield from descendants(child)


def every_kind_of_traffic(gateway: Gateway, simulator: Simulator) -> None:
    """Answers, refusals and failures in each dialect, each with the prompt in its request."""
    with httpx.Client(base_url=gateway.url, headers={"x-api-key": KEY}, timeout=20) as http:
        for dialect in DIALECTS:
            path = PATHS[dialect]
            for stream in (True, False):
                asked = body(dialect, f"SAY[[{PROMPT}]]", stream=stream)
                assert http.post(path, json=asked).status_code == 200
                for fault in FAULTS:
                    simulator.fault(**fault)
                    http.post(path, json=asked)
                for wrong in WRONG_FIELDS:
                    assert http.post(path, json={**asked, **wrong}).status_code in {200, 400}
            http.post(path, content=f'{{"input": "{PROMPT}', headers=JSON)
            refused = http.post(path, json=asked, headers={"x-api-key": WRONG_KEY})
            assert refused.status_code == 401
        http.get(f"/v1/models/{PROMPT}", headers={"authorization": f"Bearer {NAMED_KEY}"})


def tokens_in(auth_file: Path, label: str) -> dict[str, str]:
    stored = orjson.loads(auth_file.read_bytes())
    return {f"{name} {label}": stored[name] for name in ("access_token", "refresh_token")}


def processes_of(gateway: Gateway) -> dict[str, str]:
    found: dict[str, str] = {}
    for pid in descendants(gateway.popen.pid):
        for what in ("cmdline", "environ"):
            content = Path(f"/proc/{pid}/{what}").read_bytes().replace(b"\0", b" ")
            found[f"{what} of child {pid}"] = content.decode(errors="replace")
    return found


def files_of(home: Path) -> dict[str, str]:
    return {
        f"file {path.relative_to(home)}": path.read_bytes().decode(errors="replace")
        for path in home.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def searched(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Searched:
    home = tmp_path_factory.mktemp("secrets")
    auth_file = home / "auth.json"
    (home / "config.json").write_bytes(
        orjson.dumps({"api_keys": [{"name": "laptop", "key": NAMED_KEY}]})
    )
    with LoginProcess(home, simulator) as login:
        login.paste(login.browse())
        assert login.finish() == 0, login.output
    tokens = tokens_in(auth_file, "of the login")
    # The plan that one fault uses up is not to keep the others from the backend.
    serving = running_gateway(
        home, simulator, "--workers", "2", "-vv", kind=ForgetfulGateway, CODEXIA_API_KEY=KEY
    )
    with serving as gateway:
        every_kind_of_traffic(gateway, simulator)
        simulator.expire_tokens()
        every_kind_of_traffic(gateway, simulator)
        tokens |= tokens_in(auth_file, "after a refresh")
        assert len(set(tokens.values())) == 4, "no refresh took place"
        # A refusal by the authority is reported as well.
        simulator.http.post(
            "/simulator/oauth-faults", json={"fault": {"kind": "refresh_token_reused"}}
        ).raise_for_status()
        simulator.expire_tokens()
        httpx.post(
            gateway.url + PATHS["chat"], json=body("chat", PROMPT), headers={"x-api-key": KEY}
        )
        wait_until(lambda: not gateway.status()["logged_in"], "the refusal is known")
        status = codexia("status", "--json", CODEXIA_HOME=str(home))
        assert status.returncode == 1  # the login is not usable any more
        places = {
            "output of status": status.stdout + status.stderr,
            "output of login": login.output,
            **processes_of(gateway),
        }
    places["output of serve"] = "\n".join(gateway.lines)
    return Searched({**places, **files_of(home)}, tokens)


def test_the_search_looks_where_it_says(searched: Searched):
    """The canaries are found where they belong, so that the other tests can fail."""
    assert searched.hits({"refresh": searched.tokens["refresh_token after a refresh"]}) == [
        "refresh in file auth.json"
    ]
    assert searched.hits({"key": NAMED_KEY}) == ["key in file config.json"]
    assert "codexia.access" in searched.places["output of serve"]
    assert "DEBUG" in searched.places["output of serve"]
    assert len([place for place in searched.places if place.startswith("cmdline")]) == 3


def test_tokens_are_nowhere_but_in_auth_json(searched: Searched):
    assert searched.hits(searched.tokens, "file auth.json") == []


def test_pieces_of_tokens_are_in_no_output(searched: Searched):
    pieces = {name: token[-24:] for name, token in searched.tokens.items()} | {
        f"{name}, its claims": token.split(".")[1][:40]
        for name, token in searched.tokens.items()
        if "." in token
    }
    assert searched.hits(pieces, "file auth.json") == []


def test_prompts_are_nowhere(searched: Searched):
    assert searched.hits({"prompt": PROMPT}) == []


def test_local_keys_are_nowhere_but_in_config_json(searched: Searched):
    keys = {"key": KEY, "named key": NAMED_KEY, "wrong key": WRONG_KEY}
    assert searched.hits(keys, "file config.json") == []
