"""Agents for the terminal besides Claude Code and Codex CLI, each in a home of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from tests.e2e.installed_clients import Run, npm_program, python_program, run_program

if TYPE_CHECKING:
    from pathlib import Path


def objects(output: str) -> list[dict[str, Any]]:
    """Return the JSON lines among a program's output."""
    return [orjson.loads(line) for line in output.splitlines() if line[:1] == "{"]


@dataclass(frozen=True)
class OpenCode:
    """opencode; `mode` is the provider package that it speaks through."""

    home: Path
    url: str
    mode: str

    def ask(self, prompt: str) -> Run:
        """Run one prompt to its end; everything is allowed."""
        provider = {
            "npm": f"@ai-sdk/{self.mode}",
            "options": {"baseURL": f"{self.url}/v1", "apiKey": "local"},
            "models": {"gpt-5.5": {"limit": {"context": 272_000, "output": 32_000}}},
        }
        config = {"provider": {"codexia": provider}, "permission": {"*": "allow"}}
        work = self.home / "work"
        work.mkdir(parents=True)
        (work / "opencode.json").write_bytes(orjson.dumps(config))
        switched_off = ("AUTOUPDATE", "MODELS_FETCH", "DEFAULT_PLUGINS", "LSP_DOWNLOAD")
        done = run_program(
            npm_program("opencode"),
            ["run", "-m", "codexia/gpt-5.5", "--format", "json", prompt],
            self.home,
            {f"OPENCODE_DISABLE_{name}": "1" for name in switched_off},
        )
        events = objects(done.stdout)
        texts = [event["part"]["text"] for event in events if event["type"] == "text"]
        return Run(done.returncode, "".join(texts) or done.stdout + done.stderr, events)


@dataclass(frozen=True)
class Pi:
    """pi; `mode` is the API that it speaks."""

    home: Path
    url: str
    mode: str

    def ask(self, prompt: str) -> Run:
        """Run one prompt to its end; everything is allowed."""
        provider = {
            "api": self.mode,
            "baseUrl": self.url if self.mode == "anthropic-messages" else f"{self.url}/v1",
            "apiKey": "local",
            "models": [{"id": "gpt-5.5", "reasoning": True, "contextWindow": 272_000}],
        }
        settings = self.home / ".pi" / "agent"
        settings.mkdir(parents=True)
        (settings / "models.json").write_bytes(orjson.dumps({"providers": {"codexia": provider}}))
        done = run_program(
            npm_program("pi"),
            ["-p", "--provider", "codexia", "--model", "gpt-5.5", "--no-session", prompt],
            self.home,
            {"PI_OFFLINE": "1"},
        )
        return Run(done.returncode, done.stdout or done.stderr, [])


@dataclass(frozen=True)
class Cline:
    """Cline's command line; `mode` is the provider that it speaks as."""

    home: Path
    url: str
    mode: str

    def ask(self, prompt: str) -> Run:
        """Run one prompt to its end; everything is allowed."""
        data, work = str(self.home / "data"), str(self.home / "work")
        chosen = ["-m", "gpt-5.5", "-P", self.mode]
        login = ["auth", "-p", self.mode, "-k", "local", "-m", "gpt-5.5", "-b", f"{self.url}/v1"]
        program = npm_program("cline")
        run_program(program, [*login, "--data-dir", data], self.home, {})
        done = run_program(
            program, ["--data-dir", data, "-c", work, *chosen, "--json", prompt], self.home, {}
        )
        events = objects(done.stdout)
        results = [event["text"] for event in events if event["type"] == "run_result"]
        return Run(done.returncode, [*results, done.stdout + done.stderr][0], events)


@dataclass(frozen=True)
class Aider:
    """aider, which asks for edits in prose and runs no tools."""

    home: Path
    url: str

    def ask(self, prompt: str, *files: str) -> Run:
        """Run one prompt to its end; it may edit the files."""
        flags = [
            *("--model", "openai/gpt-5.5", "--edit-format", "diff", "--no-git", "--yes-always"),
            *("--no-analytics", "--no-check-update", "--no-show-model-warnings"),
        ]
        done = run_program(
            python_program("aider", "aider"),
            [*flags, "--message", prompt, *files],
            self.home,
            {"OPENAI_API_BASE": f"{self.url}/v1", "OPENAI_API_KEY": "local"},
        )
        return Run(done.returncode, done.stdout + done.stderr, [])


@dataclass(frozen=True)
class Llm:
    """The `llm` command, with a function or a schema."""

    home: Path
    url: str

    def ask(self, prompt: str, *flags: str, token: str = "") -> Run:
        """Run one prompt to its end."""
        settings = self.home / "settings"
        settings.mkdir(parents=True, exist_ok=True)
        model = f"model_id: codexia\n  model_name: gpt-5.5\n  api_base: {self.url}/v1\n"
        abilities = "  supports_tools: true\n  supports_schema: true\n"
        (settings / "extra-openai-models.yaml").write_text(f"- {model}{abilities}")
        done = run_program(
            python_program("sdks", "llm"),
            ["-m", "codexia", *flags, prompt],
            self.home,
            {"LLM_USER_PATH": str(settings), "OPENAI_API_KEY": "local", "TOKEN": token},
        )
        return Run(done.returncode, done.stdout or done.stderr, [])
