"""What the simulator saw, for tests and benchmarks to assert on."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codexia.simulator.findings import Finding

KEPT_FINDINGS = 200
"""How many of the last violations and rejections keep their text; the counts are exact."""


@dataclass(slots=True)
class Stats:
    """Counters since the start or the last reset; the field names are the JSON keys.

    Attributes:
        requests: by `METHOD /path`, of everything but `/simulator/*`.
        responses_started: streams whose headers were sent.
        responses_completed: streams whose terminal event was sent.
        open_streams: streams open now; a reset leaves it alone.
        most_streams: that were open at once.
        disconnects: streams that the client left before their terminal event.
        violations: what a correct gateway never sends (see `findings`), the last ones.
        rejected: what clients can deserve through a correct gateway, the last ones.
        refreshes: successful refresh-token grants.
        refresh_token_reuse: attempts to use a refresh token twice.
        events_sent: frames written, in all streams.
        uploaded_bytes: of bodies as they came and of messages unpacked, by `http` and `websocket`.
        sockets_opened: WebSockets that were upgraded to.
        incremental_requests: messages that went on from the socket's last response.
    """

    requests: Counter[str] = field(default_factory=Counter[str])
    responses_started: int = 0
    responses_completed: int = 0
    open_streams: int = 0
    most_streams: int = 0
    disconnects: int = 0
    violations: deque[dict[str, str]] = field(
        default_factory=lambda: deque[dict[str, str]](maxlen=KEPT_FINDINGS)
    )
    violation_count: int = 0
    rejected: deque[dict[str, str]] = field(
        default_factory=lambda: deque[dict[str, str]](maxlen=KEPT_FINDINGS)
    )
    rejections: int = 0
    refreshes: int = 0
    refresh_token_reuse: int = 0
    events_sent: int = 0
    uploaded_bytes: Counter[str] = field(default_factory=Counter[str])
    sockets_opened: int = 0
    incremental_requests: int = 0

    def count(self, findings: Iterable[Finding]) -> None:
        """Count findings, each as a violation or a rejection."""
        for finding in findings:
            entry = {"kind": finding.kind, "detail": finding.detail}
            if finding.is_violation:
                self.violations.append(entry)
                self.violation_count += 1
            else:
                self.rejected.append(entry)
                self.rejections += 1

    def opened(self) -> None:
        """Count a stream as open."""
        self.open_streams += 1
        self.most_streams = max(self.most_streams, self.open_streams)

    def reset(self) -> None:
        """Return every counter but `open_streams` to zero."""
        self.requests.clear()
        self.most_streams = self.open_streams
        self.violations.clear()
        self.rejected.clear()
        self.responses_started = self.responses_completed = self.disconnects = 0
        self.violation_count = self.rejections = 0
        self.refreshes = self.refresh_token_reuse = self.events_sent = 0
        self.uploaded_bytes.clear()
        self.sockets_opened = self.incremental_requests = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the stats as JSON-ready values."""
        return {
            "requests": dict(self.requests),
            "responses_started": self.responses_started,
            "responses_completed": self.responses_completed,
            "open_streams": self.open_streams,
            "most_streams": self.most_streams,
            "disconnects": self.disconnects,
            "violations": list(self.violations),
            "violation_count": self.violation_count,
            "rejected": list(self.rejected),
            "rejections": self.rejections,
            "refreshes": self.refreshes,
            "refresh_token_reuse": self.refresh_token_reuse,
            "events_sent": self.events_sent,
            "uploaded_bytes": dict(self.uploaded_bytes),
            "sockets_opened": self.sockets_opened,
            "incremental_requests": self.incremental_requests,
        }
