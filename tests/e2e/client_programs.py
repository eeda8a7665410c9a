"""Claude Code and Codex CLI, each in a home of its own that nothing else on this host reaches."""

from __future__ import annotations

import platform
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from tests.e2e.installed_clients import OFFLINE, Run, npm_program, run_program
from tests.e2e.terminal import terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.terminal import Terminal

BYPASS_SANDBOX = "--dangerously-bypass-approvals-and-sandbox"


@dataclass(frozen=True)
class ClaudeCode:
    """Claude Code, in print mode or in its terminal UI."""

    home: Path
    url: str
    key: str = "local"
    model: str | None = "gpt-5.5"

    def ask(self, prompt: str, *flags: str, **settings: str) -> Run:
        """Run one prompt to its end; the shell and the search are allowed."""
        done = run_program(
            self._program(),
            ["-p", prompt, "--output-format", "json", "--allowedTools", "Bash,WebSearch", *flags],
            self.home,
            {**self._environment(), **settings},
        )
        last = done.stdout.strip().rpartition("\n")[2]
        if not last.startswith("{"):
            return Run(done.returncode, done.stdout + done.stderr, [])
        result = orjson.loads(last)
        return Run(done.returncode, result["result"], [result])

    @contextmanager
    def in_terminal(self) -> Iterator[Terminal]:
        """Give its terminal UI, past the questions that it asks when it is new."""
        work = self.home / "work"
        work.mkdir(parents=True)
        answered = {
            "hasCompletedOnboarding": True,
            "projects": {str(work): {"hasTrustDialogAccepted": True}},
        }
        (self.home / ".claude.json").write_bytes(orjson.dumps(answered))
        # Auto mode, its default, asks a check of the server that nobody serves here.
        command = [self._program(), "--permission-mode", "acceptEdits", "--allowedTools", "Bash"]
        environment = {**OFFLINE, **self._environment()}
        with terminal(command, self.home, work, environment) as screen:
            yield screen

    def _program(self) -> str:
        native = f"@anthropic-ai/claude-code-{sys.platform}-{_cpu()}/claude"
        return npm_program("claude", native)

    def _environment(self) -> dict[str, str]:
        return {
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_AUTH_TOKEN": self.key,
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            **({"ANTHROPIC_MODEL": self.model} if self.model else {}),
        }


@dataclass(frozen=True)
class ChatGptLogin:
    """A login of Codex CLI itself: the tokens, and the backend that it asks of its account."""

    tokens: dict[str, Any] = field(repr=False)
    backend_url: str

    def auth_json(self) -> bytes:
        """Return what `codex login` would have written just now."""
        # The claims of both tokens are the same.
        names = ("access_token", "refresh_token", "account_id")
        tokens = {name: self.tokens[name] for name in names}
        return orjson.dumps(
            {
                "auth_mode": "chatgpt",
                "OPENAI_API_KEY": None,
                "tokens": {**tokens, "id_token": self.tokens["access_token"]},
                "last_refresh": datetime.now(UTC),
            }
        )


@dataclass(frozen=True)
class CodexCli:
    """Codex CLI, in exec mode.

    Attributes:
        built_in: use its own `openai` provider, which tries a WebSocket first.
        login: with it there is no key; the provider is OpenAI's, whose bodies are compressed.
    """

    home: Path
    url: str
    key: str = "local"
    built_in: bool = False
    login: ChatGptLogin | None = None

    def ask(self, prompt: str) -> Run:
        """Run one prompt to its end; the shell is allowed."""
        codex_home = self.home / ".codex"
        codex_home.mkdir(parents=True, exist_ok=True)
        (codex_home / "config.toml").write_text(self._config())
        keys = {"GATEWAY_KEY": self.key, "CODEX_API_KEY": self.key}
        if self.login:
            (codex_home / "auth.json").write_bytes(self.login.auth_json())
            keys = {}
        done = run_program(
            npm_program("codex"),
            ["exec", "--json", "--skip-git-repo-check", BYPASS_SANDBOX, prompt],
            self.home,
            {"CODEX_HOME": str(codex_home), **keys},
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
        lines = ['model = "gpt-5.5"']
        if self.login:
            lines.append(f'chatgpt_base_url = "{self.login.backend_url}"')
        if self.built_in:
            return "\n".join([*lines, f'openai_base_url = "{self.url}/v1"'])
        provider = (
            ['name = "OpenAI"', "requires_openai_auth = true"]
            if self.login
            else ['name = "Codexia"', 'env_key = "GATEWAY_KEY"']
        )
        return "\n".join(
            [
                *lines,
                'model_provider = "codexia"',
                "[model_providers.codexia]",
                f'base_url = "{self.url}/v1"',
                'wire_api = "responses"',
                *provider,
            ]
        )


def _cpu() -> str:
    return {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(
        platform.machine().lower(), platform.machine()
    )
