"""Small programs around the SDKs and frameworks that agents are built with: `client_scripts/`.

Each takes one argument, the way in which it asks, and prints a line for each answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.e2e.installed_clients import Run, node_module, npm_program, python_program, run_program

SCRIPTS = Path(__file__).parent / "client_scripts"


@dataclass(frozen=True)
class SdkProgram:
    """A script and where what it imports is.

    Attributes:
        script: its file name.
        installed: the npm package, or the Python environment, without which it cannot run.
        modes: the ways in which it asks.
    """

    script: str
    installed: str
    modes: tuple[str, ...]

    def run(self, mode: str, home: Path, url: str, token: str) -> Run:
        """Run the script to its end; `token` is what only its own tool can tell."""
        environment = {
            "GATEWAY_URL": url,
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_AUTH_TOKEN": "local",
            "TOKEN": token,
        }
        path = str(SCRIPTS / self.script)
        if path.endswith(".py"):
            # -P: the scripts are not modules, and must not hide any.
            arguments = ["-P", path, mode]
            done = run_program(
                python_program(self.installed, "python"), arguments, home, environment
            )
        else:
            # Packages are found by NODE_PATH, which only CommonJS looks at.
            environment["NODE_PATH"] = str(node_module(self.installed))
            done = run_program(npm_program("node"), [path, mode], home, environment)
        return Run(done.returncode, done.stdout or done.stderr, [])


SDK_PROGRAMS = (
    SdkProgram(
        "vercel_ai.cjs",
        "ai",
        (
            "anthropic",
            "chat",
            "compatible",
            "responses",
            "responses-reasoning",
            "responses-unstored",
        ),
    ),
    SdkProgram("anthropic_sdk.cjs", "@anthropic-ai/sdk", ("runner", "stream")),
    SdkProgram("openai_sdk.cjs", "openai", ("chat", "responses")),
    SdkProgram("langchain_agent.py", "sdks", ("chat", "responses", "messages")),
    SdkProgram("pydantic_ai_agent.py", "pydantic-ai", ("chat", "responses", "messages")),
    SdkProgram("openai_agents.py", "sdks", ("chat", "responses")),
    SdkProgram("instructor_extraction.py", "sdks", ("tools", "json-schema", "messages")),
)

VERCEL_TURNS = SdkProgram("vercel_ai_turns.cjs", "ai", ("",))
CLAUDE_AGENT_SDK = SdkProgram("claude_agent.py", "sdks", ("",))
