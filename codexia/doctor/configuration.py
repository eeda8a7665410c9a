"""config.json: whether it counts, and what of it has no effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codexia.doctor.finding import Finding

if TYPE_CHECKING:
    from codexia.doctor.subject import Subject

NAME = "settings"


def _warnings(subject: Subject) -> tuple[str, ...]:
    """Return what of config.json has no effect, here or on the gateway that runs."""
    told = subject.running.config_warnings if subject.running else ()
    return tuple(dict.fromkeys((*subject.config_warnings, *told)))


def check_configuration(subject: Subject) -> list[Finding]:
    """Return what is wrong with the settings, and which config.json cannot change."""
    if subject.config_problem:
        advice = "correct it; a running gateway keeps the last good settings until then"
        return [Finding(NAME, "broken", subject.config_problem, advice)]
    if warnings := _warnings(subject):
        return [
            Finding(NAME, "warning", warning, "correct or remove the key") for warning in warnings
        ]
    path = subject.home.config_file
    source = f"{path} is valid" if path.exists() else "defaults, there is no config.json"
    pinned = ", ".join(f"{key} by {by}" for key, by in sorted(subject.pinned.items()))
    return [Finding(NAME, "ok", f"{source}; pinned: {pinned}" if pinned else source)]
