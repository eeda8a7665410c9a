"""What a run leaves behind: samples, and what is needed to judge them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import orjson
from pydantic import BaseModel

from bench.circumstances import Circumstances  # noqa: TC001 - pydantic reads annotations at run time
from bench.sample import Round, Sample
from bench.scenario import Scenario  # noqa: TC001 - pydantic reads annotations at run time

if TYPE_CHECKING:
    from pathlib import Path


class Result(BaseModel):
    """One run.

    Attributes:
        scenarios: as they were when it was made, by name.
        absent: opponents that did not take part, with the reason.
    """

    circumstances: Circumstances
    scenarios: dict[str, Scenario]
    samples: list[Sample] = []
    absent: dict[str, str] = {}

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return a saved run."""
        return cls.model_validate_json(path.read_bytes())

    def save(self, path: Path) -> None:
        """Write the run as JSON, a sample on each line."""
        content = self.model_dump(mode="json", exclude={"samples"})
        samples = [
            sample.model_dump_json(exclude_defaults=True).encode() for sample in self.samples
        ]
        head = orjson.dumps(content, option=orjson.OPT_INDENT_2).removesuffix(b"\n}")
        path.write_bytes(head + b',\n  "samples": [\n' + b",\n".join(samples) + b"\n  ]\n}\n")

    def of(self, scenario: str) -> list[Sample]:
        """Return the samples of a scenario."""
        return [sample for sample in self.samples if sample.scenario == scenario]

    def rounds(self, scenario: str) -> dict[int, Round]:
        """Return the samples of a scenario by round."""
        samples = self.of(scenario)
        numbers = sorted({sample.round for sample in samples})
        return {
            number: Round([sample for sample in samples if sample.round == number])
            for number in numbers
        }
