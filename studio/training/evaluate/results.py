"""What one picture came to, as values: what was read in it, its tones, its features. Loads no torch."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from studio.training.evaluate.cases import Case
from studio.world.reading import Reading, SeenThing

Features = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Facts:
    """What is known of one picture, whatever was wanted of it.

    sha256: of its pixels, uint8 [H, W, 3]: equal for two pictures that do not differ at all.
    tones: measure -> value (studio.metrics.saturation).
    reading: what the oracle read; None where there is none for such pictures.
    features: [F] of the oracle; None where nobody asked, or there is none.
    """

    sha256: str
    tones: Mapping[str, float]
    reading: Reading | None = None
    features: Features | None = None

    def plain(self) -> dict[str, Any]:
        """As plain values; numbers come back to the bit."""
        features = self.features
        return {
            "sha256": self.sha256,
            "tones": dict(self.tones),
            "reading": None if self.reading is None else asdict(self.reading),
            "features": None if features is None else base64.b64encode(features.astype("<f4").tobytes()).decode(),
        }

    @classmethod
    def load(cls, values: Mapping[str, Any]) -> Facts:
        """Build them from what `plain` gave. Raises ValueError, KeyError, TypeError for anything else."""
        features, reading = values["features"], values["reading"]
        return cls(
            str(values["sha256"]),
            {str(name): float(value) for name, value in values["tones"].items()},
            None if reading is None else _reading(reading),
            None if features is None else np.frombuffer(base64.b64decode(features, validate=True), "<f4"),
        )


def _reading(values: Mapping[str, Any]) -> Reading:
    return Reading(**{**values, "things": tuple(SeenThing(**thing) for thing in values["things"])})


@dataclass(frozen=True, eq=False)
class Result:
    """One picture of an evaluation: case, what was wanted; facts, what came of it."""

    case: Case
    facts: Facts

    @property
    def matches(self) -> dict[str, bool]:
        """Which of the stated attributes the picture has (Reading.matches); {} where nothing is stated or read."""
        reading, expectation = self.facts.reading, self.case.expectation
        return {} if reading is None or expectation is None else reading.matches(expectation)

    @property
    def is_right(self) -> bool | None:
        """Whether the picture is valid and shows everything that was stated; None where that cannot be said."""
        if self.facts.reading is None or self.case.expectation is None:
            return None
        return not self.facts.reading.invalid and all(self.matches.values())

    def plain(self) -> dict[str, Any]:
        """For whoever wants every prompt: prompt, seed, what was wanted, what was read, tones."""
        reading = self.facts.reading
        return {
            **self.case.plain(),
            "read": None if reading is None else asdict(reading),
            "matches": self.matches,
            "is_right": self.is_right,
            "tones": dict(self.facts.tones),
            "sha256": self.facts.sha256,
        }
