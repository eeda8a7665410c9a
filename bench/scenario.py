"""What is measured, as data: scenarios.toml, read and checked."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, TypeAdapter, model_validator

from codexia.simulator.generate import stream_text

FILE = Path(__file__).with_name("scenarios.toml")

Measure = Literal["streams", "memory", "cold_start"]


class Streams(BaseModel):
    """Streams of one shape with a known text, so many at a time.

    Attributes:
        concurrency: how many at a time; each has a connection of its own.
        streams: how many in all; None for as many as begin within `seconds`.
        seconds: how long new ones begin; those under way then are waited for.
        ramp_s: within what time the first ones begin, at times drawn by chance.
        rest_ms: on a connection, from the end of a stream to the next request; drawn, from half of
            this to one and a half.
        deltas: text deltas in each stream.
        gap_ms: pause before each delta; 0 is as fast as the reader takes them.
        first_ms: pause before the first delta; None for `gap_ms`.
        size_chars: characters in a delta.
        request_bytes: size of the request, with tools and history as an agent sends them; 0 is
            one sentence.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    concurrency: PositiveInt
    streams: PositiveInt | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None
    ramp_s: Annotated[float, Field(ge=0)] = 0
    rest_ms: Annotated[float, Field(ge=0)] = 0
    deltas: PositiveInt
    gap_ms: Annotated[float, Field(ge=0)] = 0
    first_ms: Annotated[float, Field(ge=0)] | None = None
    size_chars: PositiveInt = 8
    request_bytes: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if (self.streams is None) == (self.seconds is None):
            raise ValueError("say either streams or seconds")
        return self

    @property
    def prompt(self) -> str:
        """What asks the simulator for such a stream."""
        first = "" if self.first_ms is None else f" first_ms={self.first_ms:g}"
        return (
            f"STREAM[[deltas={self.deltas} gap_ms={self.gap_ms:g} size={self.size_chars}{first}]]"
        )

    @property
    def text(self) -> str:
        """The text that every stream must arrive as."""
        return stream_text(self.deltas, self.size_chars)

    def warming(self) -> Self:
        """Return one short stream for each connection, which opens them all."""
        shape = {"streams": self.concurrency, "seconds": None, "deltas": 1}
        return self.model_copy(
            update={**shape, "gap_ms": 0, "first_ms": None, "ramp_s": 0, "rest_ms": 0}
        )

    def smoke(self) -> Self:
        """Return the same in small, to see that everything runs; its numbers mean little."""
        concurrency = max(1, self.concurrency // 10)
        shape = {
            "concurrency": concurrency,
            "streams": max(concurrency, (self.streams or 0) // 20),
            "seconds": None,
            "ramp_s": min(self.ramp_s, 0.1),
            "deltas": min(self.deltas, max(2, self.deltas // 10)),
        }
        return self.model_copy(update=shape)


class Scenario(Streams):
    """One measurement that is made of several lanes, round after round.

    Attributes:
        name: its table in the file.
        stands_for: what it is a picture of.
        measure: what is looked at while the streams run.
        lanes: dialects of the gateway, and floors.
        opponents: dialects of opponents that take part.
        opponent_rounds: in how many of the rounds they do.
        workers: of the gateway and of nginx.
        pinned: the carriers have one core to themselves, all else the others.
        beside: other streams on connections of their own, for as long as it takes.
        rounds: how often each lane is measured.
        columns: names of the numbers in its table.
        bars: numbers that the gateway's lanes are to reach, by name.
    """

    name: str
    stands_for: str
    measure: Measure = "streams"
    lanes: tuple[str, ...]
    opponents: tuple[str, ...] = ()
    opponent_rounds: PositiveInt = 2
    workers: PositiveInt = 1
    pinned: bool = False
    beside: Streams | None = None
    rounds: PositiveInt = 3
    columns: tuple[str, ...]
    bars: dict[str, float] = {}

    def smoke(self) -> Self:
        """Return the same in small, once."""
        beside = self.beside and self.beside.smoke()
        return super().smoke().model_copy(update={"rounds": 1, "beside": beside})

    def shape(self) -> str:
        """Return what is streamed, in words."""
        many = f"{self.streams:,} streams" if self.streams else f"streams for {self.seconds:g} s"
        pace = f"{self.gap_ms:g} ms apart" if self.gap_ms else "as fast as they go"
        parts = [
            f"{many}, {self.concurrency:,} at a time",
            f"{self.deltas:,} deltas of {self.size_chars} characters, {pace}",
        ]
        if self.first_ms is not None:
            parts.append(
                "the first at once" if not self.first_ms else f"after {self.first_ms:g} ms"
            )
        if self.rest_ms:
            parts.append(f"{self.rest_ms:g} ms of rest before the next")
        if self.request_bytes:
            parts.append(f"requests of {self.request_bytes / 1000:,.0f} kB")
        if self.beside is not None:
            parts.append(
                f"beside one request of {self.beside.request_bytes / 1000:,.0f} kB at a time"
            )
        parts.append("one worker" if self.workers == 1 else f"{self.workers} workers")
        if self.pinned:
            parts.append("its carrier on a core of its own")
        return "; ".join(parts)


@cache
def scenarios() -> dict[str, Scenario]:
    """Return every scenario by name, in the file's order."""
    tables = tomllib.loads(FILE.read_text())
    named = {name: {**table, "name": name} for name, table in tables.items()}
    return TypeAdapter(dict[str, Scenario]).validate_python(named)
