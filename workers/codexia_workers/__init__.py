"""The worker processes: client requests in, Codex calls out."""
