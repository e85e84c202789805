"""What came of an edit's pictures beside the base's, of the same prompts and seeds: pure functions of results.

Everything is one number for each prompt, the mean over its seeds, in the order of the prompts: they are what is
independent, and what intervals are drawn over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from studio.evidence.alignment.people import Person, ceiling, wins
from studio.metrics.diversity import dissimilarity, palette_spread, variety, vendi_of
from studio.metrics.layout import sdi
from studio.metrics.look import shift
from studio.training.evaluate.measures import by_prompt, read_picture
from studio.training.evaluate.results import Result
from studio.world.boxes import boxes

DIGITS = 4  # of what is kept
TONES = ("saturation", "contrast", "colourfulness")
Floats = npt.NDArray[np.float64]
Lists = dict[str, list[float]]


def preferred(person: Person, results: Sequence[Result], base: Sequence[Result]) -> dict[str, Any]:
    """Of open prompts: "win" and "ceiling" by prompt, how many pictures "won" and "lost", of how many "pictures".

    results, base: of the same cases in the same order, read.
    """
    worth, base_worth = (person.worth([result.facts for result in side]) for side in (results, base))
    outcomes = wins(worth, base_worth)
    return {
        "win": _means(outcomes, results),
        "ceiling": _means(ceiling(base_worth), results),
        "won": int((outcomes == 1).sum()),
        "lost": int((outcomes == 0).sum()),
        "pictures": len(results),
    }


def whole(results: Sequence[Result]) -> list[float]:
    """Share of broken pictures, by prompt."""
    return _means(np.array([float(_reading(result).invalid) for result in results]), results)


def varied(results: Sequence[Result]) -> Lists:
    """How much each prompt's pictures vary, by each of four measures (studio.metrics.diversity, .layout).

    Vendi scores are of the cosine kernel on the oracle's features.
    """
    measures: dict[str, Callable[[Sequence[Result]], float]] = {
        "diversity": lambda part: float(dissimilarity(_features(part)[None])),
        "vendi": lambda part: vendi_of(_features(part)),
        "pvs": lambda part: palette_spread(*(_tone(part, name) for name in ("saturation", "brightness", "contrast"))),
        "sdi": lambda part: sdi([boxes(_reading(result)) for result in part]),
    }
    parts = [[results[place] for place in places] for places in by_prompt(results).values()]
    return {name: _rounded([measure(part) for part in parts]) for name, measure in measures.items()}


def styles(results: Sequence[Result]) -> float:
    """How many styles there are among all pictures, as if all were as frequent: exp of the entropy."""
    return round(variety([_reading(result).style for result in results]), DIGITS)


def accurate(results: Sequence[Result]) -> list[float]:
    """Share of the stated attributes that are right, by prompt, broken or not."""
    values: list[float] = []
    for result in results:
        assert result.case.expectation is not None, "captions state what is to be seen"
        values.append(read_picture(_reading(result), result.case.expectation)["accuracy"])
    return _means(np.array(values), results)


def toned(results: Sequence[Result], base: Sequence[Result]) -> dict[str, list[float]]:
    """How far tones have moved, in standard deviations of the base's pictures: value, low, high of each of TONES."""
    return {name: _rounded(list(shift(_tone(results, name), _tone(base, name)))) for name in TONES}


def of_open(person: Person, results: Sequence[Result], base: Sequence[Result]) -> dict[str, Any]:
    """All of the above of open prompts; what is the base's own ends in "_base"."""
    values = preferred(person, results, base)
    values |= {"invalid": whole(results), "invalid_base": whole(base)}
    of_base = {f"{name}_base": numbers for name, numbers in varied(base).items()}
    return values | varied(results) | of_base | {"styles": styles(results), "styles_base": styles(base)}


def _means(values: Floats, results: Sequence[Result]) -> list[float]:
    return _rounded([float(values[places].mean()) for places in by_prompt(results).values()])


def _features(results: Sequence[Result]) -> torch.Tensor:
    rows = [result.facts.features for result in results]
    return torch.from_numpy(np.stack([row for row in rows if row is not None]))


def _tone(results: Sequence[Result], name: str) -> torch.Tensor:
    return torch.tensor([result.facts.tones[name] for result in results], dtype=torch.float64)


def _reading(result: Result) -> Any:
    assert result.facts.reading is not None, "pictures of the world are read"
    return result.facts.reading


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, DIGITS) for value in values]


def mean(values: Mapping[str, Any], name: str) -> float:
    """Of one list of an outcome."""
    return float(np.mean(values[name]))
