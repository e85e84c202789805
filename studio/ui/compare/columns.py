"""The columns of a comparison as they are typed: prompts, a line each, and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.services.comparisons.comparison import Column
from studio.services.grids.axes import parse_axis

OWN = (Column(),)  # every row as its recipe is
MAX_CHARS = 200_000


def parsed(prompts: str, seeds: str, paired: bool) -> tuple[Column, ...]:
    """The columns that are typed; `OWN` where nothing is.

    prompts: a line each, blank ones passed over.
    seeds: as in "7, 8" or "1-4".
    paired: the k-th prompt with the k-th seed, instead of each with each.
    Raises BadInput.
    """
    lines = [line.strip() for line in prompts.splitlines() if line.strip()]
    numbers = [int(value) for value in parse_axis(Recipe(), "seed", seeds).values] if seeds.strip() else []
    if not lines or not numbers:
        return tuple(Column(prompt=line) for line in lines) or tuple(Column(seed=seed) for seed in numbers) or OWN
    if paired and len(lines) != len(numbers):
        count = f"{len(lines)} prompt{'s' * (len(lines) > 1)} and {len(numbers)} seed{'s' * (len(numbers) > 1)}"
        raise BadInput(f"A seed for each prompt takes as many of both; there are {count}.", field="seeds")
    pairs = zip(lines, numbers, strict=True) if paired else product(lines, numbers)
    return tuple(Column(prompt=prompt, seed=seed) for prompt, seed in pairs)


def typed(columns: Sequence[Column]) -> tuple[str, str, bool] | None:
    """The reverse of `parsed`; None for columns that cannot be typed, such as those of somebody's report."""
    prompts = "\n".join(dict.fromkeys(column.prompt for column in columns if column.prompt is not None))
    seeds = ", ".join(str(seed) for seed in dict.fromkeys(c.seed for c in columns if c.seed is not None))
    seed_list = ", ".join(str(column.seed) for column in columns if column.seed is not None)
    for attempt in ((prompts, seeds, False), (prompts, seed_list, True)):
        try:
            if parsed(*attempt) == tuple(columns):
                return attempt
        except BadInput:  # a seed twice, or a prompt of several lines
            continue
    return None
