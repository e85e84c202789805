"""The pictures that simulated annotators judge: prompts that leave style and colour open, and what is read in each.

Half of a prompt's pictures are drawn with a random style and colour word that their annotator does not see: without
them most pairs of a prompt are alike, and most answers are ties.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio.core.recipe import GuidanceSpec
from studio.services.sources import EMBEDDED
from studio.training.evaluate.cases import Case
from studio.training.evaluate.drawing import Draw
from studio.training.evaluate.protocol import Protocol
from studio.world.scene import BACKGROUND_NAMES, COLOUR_NAMES, OBJECTS, STYLE_NAMES

STEPS, GUIDANCE_SCALE = 12, 1.5
PLACES = {"meadow": "in a meadow", "sunset": "at sunset", "night": "at night"}


@dataclass(frozen=True, eq=False)
class Pool:
    """Pictures of some prompts. prompts: of each, as annotators read it. pictures: uint8 [N, H, W, 3]."""

    prompts: tuple[str, ...]
    pictures: npt.NDArray[np.uint8]

    def pairs(self) -> npt.NDArray[np.int64]:
        """All pairs of pictures of one prompt, [P, 2], the first before the second."""
        pairs = [
            (i, j)
            for i, prompt in enumerate(self.prompts)
            for j in range(i + 1, len(self.prompts))
            if self.prompts[j] == prompt
        ]
        return np.array(pairs, dtype=np.int64)


def open_prompts(rng: np.random.Generator, number: int) -> list[str]:
    """So many prompts of an object, four in five or more with a background, in a random order; no prompt twice."""
    alone = [f"a {name}" for name in OBJECTS]
    placed = [
        f"a {name} {PLACES.get(background, f'on a {background} background')}"
        for name in OBJECTS
        for background in BACKGROUND_NAMES
    ]
    few = min(len(alone), max(1, round(number / 5)))
    prompts = [*rng.permutation(alone)[:few], *rng.permutation(placed)[: number - few]]
    return [str(prompt) for prompt in rng.permutation(prompts)]


def cases(prompts: Sequence[str], plain: int, worded: int, first_seed: int, rng: np.random.Generator) -> list[Case]:
    """What is drawn: of every prompt so many pictures as it is, and so many with a style and a colour word."""
    pictures: list[Case] = []
    for prompt in prompts:
        for number in range(plain + worded):
            words = f"{rng.choice(STYLE_NAMES)} {rng.choice(COLOUR_NAMES)} " if number >= plain else ""
            pictures.append(Case(f"a {words}{prompt.removeprefix('a ')}", first_seed + len(pictures)))
    return pictures


def draw_pool(
    prompts: Sequence[str],
    draw: Draw,
    rng: np.random.Generator,
    *,
    plain: int,
    worded: int,
    first_seed: int,
    side_px: int,
    on_picture: Callable[[], None] = lambda: None,
) -> Pool:
    """Draw a pool. side_px: of its pictures. Raises what drawing does."""
    protocol = Protocol(steps=STEPS, guidance=GuidanceSpec(params={"guidance_scale": GUIDANCE_SCALE}))
    recipes = [protocol.recipe(case, EMBEDDED, side_px) for case in cases(prompts, plain, worded, first_seed, rng)]
    pictures = np.zeros((len(recipes), side_px, side_px, 3), dtype=np.uint8)
    for turn in draw(recipes):
        if turn is not None:
            pictures[turn[0]] = turn[1]
            on_picture()
    return Pool(tuple(prompt for prompt in prompts for _ in range(plain + worded)), pictures)
