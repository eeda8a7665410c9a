"""Claude Code and Codex CLI, each in a home of its own that nothing else on this host reaches.

They are looked for in `$CODEXIA_TEST_CLIENTS/node_modules`, then on PATH.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

CLIENTS_VARIABLE = "CODEXIA_TEST_CLIENTS"
REQUIRED_VARIABLE = "CODEXIA_TEST_CLIENTS_REQUIRED"
BYPASS_SANDBOX = "--dangerously-bypass-approvals-and-sandbox"
TIMEOUT_S = 30.0
KEPT = ("PATH", "LANG", "TMPDIR", "SYSTEMROOT")


@dataclass(frozen=True)
class Run:
    """What a client program did.

    Attributes:
        answer: the last thing it said, or why it failed.
        events: what it told on the way, one object each.
    """

    code: int
    answer: str
    events: list[dict[str, Any]]

    def __str__(self) -> str:
        return f"exit {self.code}: {self.answer}"


@dataclass(frozen=True)
class ClaudeCode:
    """Claude Code, in print mode."""

    home: Path
    url: str
    key: str = "local"
    model: str | None = "gpt-5.5"

    def ask(self, prompt: str, *flags: str) -> Run:
        """Run one prompt to its end; the shell is allowed."""
        environment = {
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_AUTH_TOKEN": self.key,
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            **({"ANTHROPIC_MODEL": self.model} if self.model else {}),
        }
        native = f"@anthropic-ai/claude-code-{sys.platform}-{_cpu()}/claude"
        done = _run(
            _program("claude", native),
            ["-p", prompt, "--output-format", "json", "--allowedTools", "Bash", *flags],
            self.home,
            environment,
        )
        last = done.stdout.strip().rpartition("\n")[2]
        if not last.startswith("{"):
            return Run(done.returncode, done.stdout + done.stderr, [])
        result = orjson.loads(last)
        return Run(done.returncode, result["result"], [result])


@dataclass(frozen=True)
class CodexCli:
    """Codex CLI, in exec mode.

    Attributes:
        built_in: use its own `openai` provider, which tries a WebSocket first.
    """

    home: Path
    url: str
    key: str = "local"
    built_in: bool = False

    def ask(self, prompt: str) -> Run:
        """Run one prompt to its end; the shell is allowed."""
        codex_home = self.home / ".codex"
        codex_home.mkdir(parents=True, exist_ok=True)
        (codex_home / "config.toml").write_text(self._config())
        done = _run(
            _program("codex"),
            ["exec", "--json", "--skip-git-repo-check", BYPASS_SANDBOX, prompt],
            self.home,
            {"CODEX_HOME": str(codex_home), "GATEWAY_KEY": self.key, "CODEX_API_KEY": self.key},
        )
        events = [orjson.loads(line) for line in done.stdout.splitlines() if line[:1] == "{"]
        texts = [
            event["item"]["text"]
            for event in events
            if event["type"] == "item.completed" and event["item"]["type"] == "agent_message"
        ]
        failures = [event["error"]["message"] for event in events if event["type"] == "turn.failed"]
        return Run(done.returncode, [*texts, *failures, done.stderr][0], events)

    def _config(self) -> str:
        if self.built_in:
            return f'model = "gpt-5.5"\nopenai_base_url = "{self.url}/v1"\n'
        return (
            'model = "gpt-5.5"\nmodel_provider = "codexia"\n[model_providers.codexia]\n'
            f'name = "Codexia"\nbase_url = "{self.url}/v1"\nwire_api = "responses"\n'
            'env_key = "GATEWAY_KEY"\n'
        )


def _program(name: str, native: str = "") -> str:
    """Return where a client is; skip the test, or fail it where clients must be there."""
    directory = os.environ.get(CLIENTS_VARIABLE)
    if directory:
        modules = Path(directory) / "node_modules"
        for path in (modules / native, modules / ".bin" / name):
            if path.is_file():
                return str(path)
    found = shutil.which(name)
    if found:
        return found
    reason = f"{name} is neither in ${CLIENTS_VARIABLE} nor on PATH"
    if os.environ.get(REQUIRED_VARIABLE):
        pytest.fail(reason)
    pytest.skip(reason)


def _cpu() -> str:
    return {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(
        platform.machine().lower(), platform.machine()
    )


def _run(
    program: str, arguments: list[str], home: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    work = home / "work"
    work.mkdir(parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return subprocess.run(
        [program, *arguments],
        cwd=work,
        env={**kept, "HOME": str(home), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
