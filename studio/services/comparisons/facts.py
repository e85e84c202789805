"""What is known of a comparison: of each cell, of each row, and of each row against the reference.

Pure functions of what was drawn and read. No number without its n; what is not known is not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from studio.core.recipe import Recipe

if TYPE_CHECKING:
    from studio.metrics.contrasts import Contrast, Estimate

# Of a row whose pictures are the reference's but for rounding. Measured: see docs/design.
SAME_LARGEST, SAME_MEAN = 3, 0.05  # levels of 0 to 255


@dataclass(frozen=True)
class Measure:
    """One number of a picture.

    name: by which facts have it.
    label: above its column.
    about: one sentence for whoever reads it.
    better: "higher", "lower", or "" where neither is.
    is_share: whether it lies in 0 to 1.
    """

    name: str
    label: str
    about: str
    better: str = ""
    is_share: bool = False


MEASURES = (
    Measure(
        "accuracy",
        "Prompt accuracy",
        "Share of what the prompt asks for that the oracle, Stencil's classifier, reads in the picture; 0 if broken.",
        "higher",
        True,
    ),
    Measure("score", "CLIP score", "How well picture and prompt agree, by a CLIP of yours: 2.5 max(cos, 0).", "higher"),
    Measure(
        "broken", "Broken", "Whether the oracle does not recognise it as a picture of Stencil's world.", "lower", True
    ),
    Measure("saturation", "Saturation", "Mean HSV saturation; close to the reference's is good.", "", True),
    Measure("contrast", "Contrast", "Standard deviation of the grey picture."),
    Measure("clipped", "Clipped", "Share of pixels at either end of the range.", "lower", True),
    Measure("nfe", "NFE", "Network evaluations of a picture: one for each prompt it is asked with at a step.", "lower"),
    Measure("seconds", "Seconds", "Its share of its job's time, by network evaluations.", "lower"),
)
NAMED = {measure.name: measure for measure in MEASURES}
COSTS = ("nfe", "seconds")  # counted and timed: they have no interval, for nothing of them is a sample
TESTED = ("accuracy", "score", "broken", "saturation", "contrast", "clipped")  # what is held against the reference


@dataclass(frozen=True)
class CellFacts:
    """Of one picture.

    values: name of a measure -> number; those not known are not there.
    asked, missed: words of the prompt that it can be held against, and those it does not show; () where nothing is
    read.
    from_reference: mean difference from the reference's picture of the same column, in levels of 0 to 255; None
    without, or of another size.
    is_same: whether it is that picture but for rounding; None likewise.
    unfinished: edit -> steps it had, of a picture drawn with an edit that was still being trained.
    """

    values: Mapping[str, float]
    asked: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    from_reference: float | None = None
    is_same: bool | None = None
    unfinished: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RowFacts:
    """Of one row.

    name: as of its plan.
    pictures: how many it has.
    estimates: name of a measure -> mean over its units, with interval and n; of costs without interval.
    contrasts: name of a measure -> how it differs from the reference, paired; {} of the reference itself.
    missed: word -> in how many of the pictures that ask for it it is missing, the most first.
    diversity: 1 - cosine of features between seeds of a prompt, mean over prompts; None without two seeds of one.
    vendi: how many of a prompt's pictures are really different (the Vendi score by cosines), mean over prompts: 1 to
        as many as it has; None likewise.
    seeds_per_prompt: that both are measured over, of the prompt with the fewest; 0 without.
    features: what the diversity is measured by, such as "oracle"; "" without.
    remark: what to know of it, such as that it has no effect; "" for nothing.
    has_no_effect: whether all its pictures are the reference's but for rounding, though its recipe is another.
    """

    name: str
    pictures: int
    estimates: Mapping[str, Estimate]
    contrasts: Mapping[str, Contrast]
    missed: Mapping[str, int]
    diversity: Estimate | None = None
    vendi: Estimate | None = None
    seeds_per_prompt: int = 0
    features: str = ""
    remark: str = ""
    has_no_effect: bool = False


@dataclass(frozen=True)
class ComparisonFacts:
    """All that is known.

    cells: rows of columns; None where there is no picture.
    rows: what they come to.
    unit: what is independent, "prompts" or "seeds": what n counts.
    unread: pictures that were not read yet; `ComparisonService.read` has them read.
    """

    cells: tuple[tuple[CellFacts | None, ...], ...]
    rows: tuple[RowFacts, ...]
    unit: str
    unread: int

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Those that some cell has, in their order."""
        names = {name for row in self.cells for cell in row if cell is not None for name in cell.values}
        return tuple(measure for measure in MEASURES if measure.name in names)


@dataclass(frozen=True, eq=False)
class FeaturesByPrompt:
    """What a row's diversity is measured by.

    extractor: its name; "" without any.
    by_prompt: prompt -> features of its pictures, each picture once.
    """

    extractor: str = ""
    by_prompt: Mapping[str, Sequence[npt.NDArray[np.float32]]] = field(default_factory=dict)


def units_of(recipes: Sequence[Recipe]) -> tuple[str, list[str]]:
    """What is independent among the columns, and the unit of each column.

    recipes: one of each column. Prompts where there are several, whose seeds are averaged; else seeds.
    """
    prompts = [recipe.prompt for recipe in recipes]
    if len(set(prompts)) > 1:
        return "prompts", prompts
    return "seeds", [str(recipe.seed) for recipe in recipes]


def rows_of(
    names: Sequence[str],
    cells: Sequence[Sequence[CellFacts | None]],
    units: Sequence[str],
    reference: int,
    same_recipe: Sequence[bool],
    features: Sequence[FeaturesByPrompt],
) -> tuple[RowFacts, ...]:
    """Sum up rows of cells.

    names: of the rows. units: of the columns (`units_of`). same_recipe: which rows are the reference's recipe itself.
    features: of each row.
    """
    from studio.metrics.contrasts import contrast, holm

    means = [_unit_means(row, units) for row in cells]
    estimates = [{name: _estimate(name, list(values.values())) for name, values in of_row.items()} for of_row in means]
    contrasts: list[dict[str, Contrast]] = [{} for _ in cells]
    for name in TESTED:
        compared: dict[int, Contrast] = {}
        for place, of_row in enumerate(means):
            if place != reference and name in of_row and name in means[reference]:
                difference = contrast(of_row[name], means[reference][name], NAMED[name].is_share)
                if difference is not None:
                    compared[place] = difference
        adjusted = holm([difference.p for difference in compared.values()])
        for (place, difference), p in zip(compared.items(), adjusted, strict=True):
            contrasts[place][name] = _adjusted(difference, p)
    return tuple(
        _row(
            names[place],
            row,
            estimates[place],
            contrasts[place],
            place != reference,
            same_recipe[place],
            features[place],
        )
        for place, row in enumerate(cells)
    )


def _estimate(name: str, values: Sequence[float]) -> Estimate:
    from studio.metrics.contrasts import estimate

    whole = estimate(values, NAMED[name].is_share)
    return replace(whole, low=None, high=None) if name in COSTS else whole


def _adjusted(difference: Contrast, p: float) -> Contrast:
    # Holm may take back what the test of one arm alone says: then more are needed, but nobody can say how many.
    is_taken_back = difference.more == 0 and p > 0.05
    return replace(difference, adjusted_p=p, more=None if is_taken_back else difference.more)


def _unit_means(row: Sequence[CellFacts | None], units: Sequence[str]) -> dict[str, dict[str, float]]:
    """Measure -> unit -> mean over its cells."""
    from studio.metrics.contrasts import unit_means

    measured: dict[str, dict[str, float]] = {}
    for measure in MEASURES:
        pairs = [
            (cell.values[measure.name], unit)
            for cell, unit in zip(row, units, strict=True)
            if cell is not None and measure.name in cell.values
        ]
        if pairs:
            measured[measure.name] = unit_means([value for value, _ in pairs], [unit for _, unit in pairs])
    return measured


def _row(
    name: str,
    cells: Sequence[CellFacts | None],
    estimates: Mapping[str, Estimate],
    contrasts: Mapping[str, Contrast],
    is_compared: bool,
    is_same_recipe: bool,
    features: FeaturesByPrompt,
) -> RowFacts:
    present = [cell for cell in cells if cell is not None]
    missed: dict[str, int] = {}
    for cell in present:
        for word in dict.fromkeys(cell.missed):
            missed[word] = missed.get(word, 0) + 1
    verdicts = [cell.is_same for cell in present if cell.is_same is not None]
    all_same = is_compared and bool(verdicts) and all(verdicts)
    remark = ""
    if all_same:
        count = f"{len(verdicts)} picture{'s' * (len(verdicts) != 1)}"
        remark = (
            "This row is the reference once more: the recipes are the same."
            if is_same_recipe
            else f"This row has no effect on these pictures: all {count} are the reference's but for rounding."
            if len(verdicts) > 1
            else "This row has no effect on this picture: it is the reference's but for rounding."
        )
    diversity, vendi, seeds = _diversity(features)
    return RowFacts(
        name,
        len(present),
        estimates,
        contrasts,
        dict(sorted(missed.items(), key=lambda entry: -entry[1])),
        diversity,
        vendi,
        seeds,
        features.extractor if diversity is not None else "",
        remark,
        all_same and not is_same_recipe,
    )


def _diversity(features: FeaturesByPrompt) -> tuple[Estimate | None, Estimate | None, int]:
    """1 - cosine between the seeds of a prompt and their Vendi score, over prompts; how many seeds the fewest have."""
    import torch

    from studio.metrics.contrasts import estimate
    from studio.metrics.diversity import dissimilarity, vendi_of

    stacks = [torch.tensor(np.stack(rows)) for rows in features.by_prompt.values() if len(rows) > 1]
    if not stacks:
        return None, None, 0
    return (
        estimate([float(dissimilarity(stack[None])) for stack in stacks]),
        estimate([vendi_of(stack) for stack in stacks]),
        min(map(len, stacks)),
    )
