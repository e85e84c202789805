"""What is counted of results: what the oracle reads in them, their tones, how much they vary.

Every measure is one number per prompt, [P] float64, the mean over the prompt's seeds: prompts are what is independent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from studio.metrics.diversity import dissimilarity
from studio.training.evaluate.results import Result
from studio.world.reading import Reading, Wanted

ATTRIBUTES = ("object", "colour", "style", "background")
TONES = ("saturation", "contrast", "clipped")
# Measure -> how it is told, and whether it is a share.
TOLD: dict[str, tuple[str, bool]] = {
    "object": ("object right", True),
    "colour": ("colour right", True),
    "style": ("style right", True),
    "background": ("background right", True),
    "accuracy": ("mean of the stated attributes right", True),
    "all": ("everything stated right, and valid", True),
    "shared": ("mean of object, colour and background right", True),
    "unwanted": ("what the negative prompt names is in the picture", True),
    "invalid": ("invalid pictures", True),
    "quality": ("accuracy, 0 for invalid pictures", True),
    "saturation": ("mean HSV saturation", False),
    "contrast": ("standard deviation of grey", False),
    "clipped": ("pixels at either end of the range", True),
    "diversity": ("1 - cosine of the oracle's features, between seeds", False),
}


def read_picture(reading: Reading, expectation: Wanted) -> dict[str, float]:
    """What one picture gets right of what was expected, 0 or 1, and the shares made of it; see TOLD."""
    right = {name: float(match) for name, match in reading.matches(expectation).items()}
    stated = [right[name] for name in ATTRIBUTES if name in right]
    valid = not reading.invalid
    whole = all(right[name] for name in ("bound", "style", "background") if name in right)
    values = {name: right[name] for name in ATTRIBUTES if name in right}
    values["accuracy"] = float(np.mean(stated))
    values["all"] = float(whole and valid)
    values["shared"] = float(np.mean([right[name] for name in ATTRIBUTES if name in right and name != "style"]))
    values["invalid"] = float(not valid)
    values["quality"] = values["accuracy"] * valid
    return values


def _unwanted(reading: Reading, unwanted: Wanted | None) -> dict[str, float]:
    """Whether all that is not wanted is there, 0 or 1; nothing where nothing was named."""
    return {} if unwanted is None else {"unwanted": float(all(reading.matches(unwanted).values()))}


def by_prompt(results: Sequence[Result]) -> dict[str, list[int]]:
    """prompt -> places of its results, both in order."""
    places: dict[str, list[int]] = {}
    for i, result in enumerate(results):
        places.setdefault(result.case.prompt, []).append(i)
    return places


def prompt_means(values: Tensor, prompts: Mapping[str, Sequence[int]]) -> Tensor:
    """[N] of results to [P] of prompts. prompts: as `by_prompt` gives them."""
    counts = {len(places) for places in prompts.values()}
    if len(counts) == 1:
        return torch.stack([values[list(places)] for places in prompts.values()]).mean(1)
    return torch.stack([values[list(places)].mean() for places in prompts.values()])


def measured(results: Sequence[Result]) -> dict[str, Tensor]:
    """Measure -> [P] of results that are all read, and all of which state the same attributes.

    With several seeds of every prompt, and features, diversity too. Raises ValueError for results that are not read.
    """
    rows: list[dict[str, float]] = []
    for result in results:
        if result.facts.reading is None or result.case.expectation is None:
            raise ValueError(f"the picture of {result.case.prompt!r} was not read, or nothing was expected of it")
        tones = {name: result.facts.tones[name] for name in TONES}
        unwanted = _unwanted(result.facts.reading, result.case.unwanted)
        rows.append({**read_picture(result.facts.reading, result.case.expectation), **unwanted, **tones})
    prompts = by_prompt(results)
    means = {
        name: prompt_means(torch.tensor([row[name] for row in rows], dtype=torch.float64), prompts) for name in rows[0]
    }
    features = [result.facts.features for result in results]
    seeds = {len(places) for places in prompts.values()}
    if len(seeds) == 1 and seeds != {1} and all(row is not None for row in features):
        stacked = torch.from_numpy(np.stack([row for row in features if row is not None]))  # [N, F]
        means["diversity"] = dissimilarity(torch.stack([stacked[places] for places in prompts.values()]))
    return means


def diversities(results: Sequence[Result]) -> dict[str, float]:
    """prompt -> how much its pictures vary (see `dissimilarity`), of prompts with features of at least two of them."""
    values: dict[str, float] = {}
    for prompt, places in by_prompt(results).items():
        features = [row for i in places if (row := results[i].facts.features) is not None]
        if len(features) > 1:
            values[prompt] = float(dissimilarity(torch.from_numpy(np.stack(features))[None]))
    return values
