"""Times as people read them: the host's own time, and how far away it is."""

from __future__ import annotations

from datetime import UTC, datetime


def local_time(unix_s: float | None) -> str | None:
    """Return e.g. `2026-05-05 12:15:07 +08:00`; None for no time, or one that no calendar has."""
    if unix_s is None:
        return None
    try:
        moment = datetime.fromtimestamp(unix_s, UTC).astimezone()
    except (OverflowError, OSError, ValueError):
        return None
    offset = moment.strftime("%z")
    return f"{moment:%Y-%m-%d %H:%M:%S} {offset[:3]}:{offset[3:5]}"


def duration(seconds: float) -> str:
    """Return the two largest units, e.g. `9d 23h` or `14m 05s`; negative counts as 0."""
    minutes, rest_s = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours:02}h"
    if hours:
        return f"{hours}h {minutes:02}m"
    return f"{minutes}m {rest_s:02}s" if minutes else f"{rest_s}s"


def from_now(seconds: float) -> str:
    """Return `in 9d 23h`, or `9d 23h ago` for what is past."""
    return f"in {duration(seconds)}" if seconds >= 0 else f"{duration(-seconds)} ago"
