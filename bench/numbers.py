"""Every number that a table can show: what it is called, and how samples make it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.sample import Round, Sample

Value: TypeAlias = "Callable[[Sample, Round], float | None]"
"""Makes a number of a sample and its neighbours in time; None where there is none."""


@dataclass(frozen=True, slots=True)
class Number:
    """One number.

    Attributes:
        title: the head of its column.
        value: makes it.
        more_is_better: which way is up.
    """

    title: str
    value: Value
    more_is_better: bool = False


def _plain(name: str) -> Value:
    return lambda sample, _: sample.values.get(name)


def _ratio(above: str, below: str, scale: float = 1) -> Value:
    def value(sample: Sample, _: Round) -> float | None:
        divisor = sample.values.get(below)
        return sample.values[above] / divisor * scale if divisor else None

    return value


def _carried(value: Value) -> Value:
    """Leave out the lane in which nobody carries anything."""
    return lambda sample, all_: None if sample.lane == "direct" else value(sample, all_)


def _over(value: Value, floor: str) -> Value:
    """Divide by the number of a floor."""

    def ratio(sample: Sample, all_: Round) -> float | None:
        beside = all_.lane(floor)
        divisor = value(beside, all_) if beside else None
        own = value(sample, all_)
        return own / divisor if own is not None and divisor else None

    return ratio


def _added(name: str) -> Value:
    """Subtract what the same takes with nothing between."""

    def difference(sample: Sample, all_: Round) -> float | None:
        direct = all_.lane("direct")
        if direct is None or sample.lane == "direct" or name not in sample.values:
            return None
        return sample.values[name] - direct.values[name]

    return difference


def _beside_opponents(value: Value, *, more_is_better: bool) -> Value:
    """Say how many times better than the best opponent it is."""

    def ratio(sample: Sample, all_: Round) -> float | None:
        theirs = [number for each in all_.opponents() if (number := value(each, all_))]
        own = value(sample, all_)
        if not own or not theirs or sample.kind != "codexia":
            return None
        return own / max(theirs) if more_is_better else min(theirs) / own

    return ratio


_CARRIER_US = _carried(_ratio("carrier_s", "events", 1e6))
_STREAMS_PER_CORE = _carried(_ratio("streams", "carrier_s"))

NUMBERS = {
    "carrier_us": Number("carrier, µs/event", _CARRIER_US),
    "x_nginx": Number("x nginx", _over(_CARRIER_US, "nginx")),
    "x_bare": Number("x bare", _over(_CARRIER_US, "bare messages")),
    "product_us": Number(
        "all its processes, µs/event", _carried(_ratio("product_s", "events", 1e6))
    ),
    "simulator_us": Number("simulator, µs/event", _ratio("simulator_s", "events", 1e6)),
    "load_us": Number("load, µs/event", _ratio("load_s", "events", 1e6)),
    "events_per_s": Number("events/s", _ratio("events", "wall_s"), more_is_better=True),
    "carrier_us_per_stream": Number(
        "carrier, µs/stream", _carried(_ratio("carrier_s", "streams", 1e6))
    ),
    "streams_per_s": Number("streams/s", _ratio("streams", "wall_s"), more_is_better=True),
    "streams_per_core": Number("streams/s of a core", _STREAMS_PER_CORE, more_is_better=True),
    "carrier_busy": Number("carrier busy, %", _ratio("carrier_s", "wall_s", 100)),
    "simulator_busy": Number("simulator busy, %", _ratio("simulator_s", "wall_s", 100)),
    "load_busy": Number("load busy, %", _ratio("load_s", "wall_s", 100)),
    "x_opponents": Number(
        "x best opponent",
        _beside_opponents(_STREAMS_PER_CORE, more_is_better=True),
        more_is_better=True,
    ),
    "x_opponents_us": Number(
        "best opponent takes, x",
        _beside_opponents(_CARRIER_US, more_is_better=False),
        more_is_better=True,
    ),
    "first_byte_p50": Number("first byte p50, ms", _plain("first_byte_p50_ms")),
    "ttft_p50": Number("TTFT p50, ms", _plain("ttft_p50_ms")),
    "ttft_p99": Number("TTFT p99, ms", _plain("ttft_p99_ms")),
    "added_ttft_p50": Number("added TTFT p50, ms", _added("ttft_p50_ms")),
    "added_ttft_p99": Number("added TTFT p99, ms", _added("ttft_p99_ms")),
    "gap_p50": Number("gap p50, ms", _plain("gap_p50_ms")),
    "gap_p99": Number("gap p99, ms", _plain("gap_p99_ms")),
    "gap_max": Number("longest gap, ms", _plain("gap_max_ms")),
    "added_gap_p50": Number("added gap p50, ms", _added("gap_p50_ms")),
    "added_gap_p99": Number("added gap p99, ms", _added("gap_p99_ms")),
    "streams": Number("whole streams", _plain("streams"), more_is_better=True),
    "stretched": Number("gaps over 2x, %", _ratio("stretched", "gaps", 100)),
    "rss": Number("RSS, MB", _carried(_plain("rss_mb"))),
    "idle": Number("idle, MB", _plain("idle_mb")),
    "idle_worker": Number("a worker idle, MB", _plain("idle_worker_mb")),
    "loaded": Number("loaded, MB", _plain("loaded_mb")),
    "loaded_worker": Number("a worker loaded, MB", _plain("loaded_worker_mb")),
    "after": Number("after, MB", _plain("after_mb")),
    "stream_kb": Number("kB/open stream", _plain("stream_kb")),
    "health_ms": Number("/health answers, ms", _plain("health_ms")),
    "streamed_ms": Number("first streamed text, ms", _plain("streamed_ms")),
}


BUSY = 0.9
"""From which share of a core on a process is as fast as it gets."""


def limits(sample: Sample, *, unpaced: bool) -> str:
    """Return who other than the carrier was the limit of a measurement, "" if nobody.

    Args:
        sample: of streams.
        unpaced: whether the streams went as fast as they could.
    """
    values = sample.values
    if "wall_s" not in values:
        return ""
    if sample.lane == "direct":
        return ""  # is them and nothing else
    busy = {role: values[f"{role}_s"] / values["wall_s"] for role in ("simulator", "load")}
    if unpaced and values["carrier_s"] / values["wall_s"] >= BUSY:
        return ""
    if unpaced and sum(busy.values()) >= BUSY:
        return "simulator and load"
    return ", ".join(role for role, share in busy.items() if share >= BUSY)
