"""What one measurement streams: how many streams, of what shape and pace."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from codexia.simulator.generate import stream_text


class Scenario(BaseModel):
    """Streams of one shape, with a known text.

    Attributes:
        name: for tables and results.
        streams: how many in all.
        concurrency: how many of them at a time.
        deltas: text deltas in each stream.
        gap_ms: pause before each delta; 0 is as fast as the reader takes them.
        size_chars: characters in a delta.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    streams: int
    concurrency: int
    deltas: int
    gap_ms: float = 0
    size_chars: int = 8

    @property
    def events(self) -> int:
        """Text deltas that the backend sends in all; the dozen frames around them not counted."""
        return self.streams * self.deltas

    @property
    def prompt(self) -> str:
        """What asks the simulator for such a stream."""
        return f"STREAM[[deltas={self.deltas} gap_ms={self.gap_ms:g} size={self.size_chars}]]"

    @property
    def text(self) -> str:
        """The text that every stream must arrive as."""
        return stream_text(self.deltas, self.size_chars)

    def warming(self) -> Scenario:
        """Return one short stream for each connection, which opens them all."""
        shape = {"streams": self.concurrency, "deltas": 1, "gap_ms": 0}
        return self.model_copy(update=shape)


PACED = Scenario(name="paced", streams=100, concurrency=100, deltas=100, gap_ms=20)
"""Agents at work: every delta travels alone."""

SATURATED = Scenario(name="saturated", streams=100, concurrency=20, deltas=2000)
"""As fast as it goes: reads are large, and the cost of a call is shared by many deltas."""

SHORT = Scenario(name="short", streams=1000, concurrency=50, deltas=20)
"""Mostly the cost of a request."""


def smoke(scenario: Scenario) -> Scenario:
    """Return the same in small, to see that everything runs; its numbers mean little."""
    streams = max(1, scenario.streams // 10)
    shape = {
        "streams": streams,
        "concurrency": min(streams, scenario.concurrency),
        "deltas": max(1, scenario.deltas // 5),
    }
    return scenario.model_copy(update=shape)
