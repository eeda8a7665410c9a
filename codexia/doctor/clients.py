"""The environment of clients in this shell: base addresses that lead past the gateway's paths."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from codexia.doctor.finding import Finding
from codexia.proxies import is_loopback

if TYPE_CHECKING:
    from codexia.doctor.subject import Subject


def check_clients(subject: Subject) -> list[Finding]:
    """Return which base addresses of this shell end wrongly."""
    findings: list[Finding] = []
    for variable, with_version in (
        ("ANTHROPIC_BASE_URL", False),
        ("OPENAI_BASE_URL", True),
        ("OPENAI_API_BASE", True),
    ):
        url = subject.environ.get(variable, "")
        if not url or not is_loopback(url):
            continue
        path = urlsplit(url).path.rstrip("/")
        if path.endswith("/v1") == with_version:
            continue
        rule = "must end in /v1" if with_version else "must not end in /v1, the client adds it"
        advice = f"export {variable}=http://HOST:PORT{'/v1' if with_version else ''}"
        findings.append(Finding("clients", "warning", f"{variable} {rule}", advice))
    return findings
