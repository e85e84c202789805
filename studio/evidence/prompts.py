"""The prompts claims are tried on: drawn by a seeded generator that nothing else uses, never picked by hand.

Combinations of object, colour, style and background that no training set has held, without the world's stereotypes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from studio.world.caption import canonical, swapped
from studio.world.reading import Wanted
from studio.world.scene import STYLE_NAMES, Scene, random_scene

SEED = 64
# Pictures per prompt. Prompts are what is independent, so one picture of each tells most; variety needs several.
FULL_SEEDS, OPEN_SEEDS = 1, 4


@dataclass(frozen=True)
class Prompt:
    """text: what to draw. wanted: what has to be seen. negative: the same scene in another style, as a caption.

    scene: the one the text describes, None where it describes many.
    """

    text: str
    wanted: Wanted
    negative: str = ""
    scene: Scene | None = None


@dataclass(frozen=True)
class Suite:
    """Prompts, and how many seeds each is drawn with: the k-th picture of prompt p has seed p * seeds + k."""

    prompts: tuple[Prompt, ...]
    seeds: int

    @property
    def pictures(self) -> int:
        """How many pictures an arm draws."""
        return len(self.prompts) * self.seeds

    def seed(self, prompt: int, k: int) -> int:
        """The seed of a picture, the same in every arm."""
        return 640_000 + prompt * self.seeds + k


def full(n: int) -> Suite:
    """n captions of one object that say everything: object, colour, style, background, size and place."""
    rng = np.random.default_rng((SEED, 1))
    found: dict[str, Prompt] = {}
    while len(found) < n:
        scene = random_scene(rng, two=0.0, empty=0.0, biased=False, held_out=True)
        other = str(rng.choice([style for style in STYLE_NAMES if style != scene.style]))
        thing, text = scene.things[0], canonical(scene)
        wanted = Wanted(((thing.object, thing.colour),), scene.style, scene.background)
        found.setdefault(text, Prompt(text, wanted, canonical(swapped(scene, "style", other)), scene))
    return Suite(tuple(found.values()), FULL_SEEDS)


def open_ended(n: int) -> Suite:
    """n prompts that say object and colour and leave the rest to the model, so that there is variety to lose."""
    rng = np.random.default_rng((SEED, 2))
    found: dict[str, Prompt] = {}
    while len(found) < n:
        thing = random_scene(rng, two=0.0, empty=0.0, biased=False, held_out=None).things[0]
        article = "an" if thing.colour[0] in "aeiou" else "a"
        text = f"{article} {thing.colour} {thing.object}"
        found.setdefault(text, Prompt(text, Wanted(((thing.object, thing.colour),))))
    return Suite(tuple(found.values()), OPEN_SEEDS)


def suite(name: str, pictures: int) -> Suite:
    """A suite by name, "full" or "open", of about so many pictures per arm, at least one prompt."""
    if name == "open":
        return open_ended(max(1, pictures // OPEN_SEEDS))
    return full(max(1, pictures // FULL_SEEDS))
