"""Codexia: a local gateway from one Codex login to OpenAI- and Anthropic-compatible APIs."""

__version__ = "0.1.0"
