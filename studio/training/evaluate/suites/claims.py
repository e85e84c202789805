"""The prompts claims are tried on: drawn by a seeded generator that nothing else uses, never picked by hand.

Combinations of object, colour, style and background that no training set has held, without the world's stereotypes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from studio.training.evaluate.cases import SUITES, Case, Suite
from studio.training.evaluate.suites.typed import BACKGROUND_PHRASES, with_article
from studio.world.caption import canonical, swapped
from studio.world.reading import Wanted
from studio.world.scene import COLOUR_NAMES, STYLE_NAMES, Scene, random_scene

SEED, FIRST_SEED = 64, 640_000
# Pictures per prompt. Prompts are what is independent, so one picture of each tells most; variety needs several.
FULL_SEEDS, OPEN_SEEDS = 1, 4


@dataclass(frozen=True)
class _Prompt:
    text: str
    expectation: Wanted
    negative: str = ""
    scene: Scene | None = None
    unwanted: Wanted | None = None


def full(n: int) -> list[Case]:
    """n captions of one object that say everything: object, colour, style, background, size and place.

    Each with the same scene in another style as its negative prompt.
    """
    rng = np.random.default_rng((SEED, 1))
    prompts: dict[str, _Prompt] = {}
    while len(prompts) < n:
        scene = random_scene(rng, two=0.0, empty=0.0, biased=False, held_out=True)
        negative_style = str(rng.choice([style for style in STYLE_NAMES if style != scene.style]))
        thing, text = scene.things[0], canonical(scene)
        expectation = Wanted(((thing.object, thing.colour),), scene.style, scene.background)
        prompts.setdefault(text, _Prompt(text, expectation, canonical(swapped(scene, "style", negative_style)), scene))
    return _cases(prompts, FULL_SEEDS)


def open_ended(n: int) -> list[Case]:
    """n prompts that say object and colour and leave the rest to the model, so that there is variety to lose."""
    rng = np.random.default_rng((SEED, 2))
    prompts: dict[str, _Prompt] = {}
    while len(prompts) < n:
        thing = random_scene(rng, two=0.0, empty=0.0, biased=False, held_out=None).things[0]
        text = with_article(f"{thing.colour} {thing.object}")
        prompts.setdefault(text, _Prompt(text, Wanted(((thing.object, thing.colour),))))
    return _cases(prompts, OPEN_SEEDS)


def negatives(n: int) -> list[Case]:
    """n prompts that leave style or colour open, in turn, each with one word for it as its negative prompt.

    Nobody picked the word: by chance one picture in eight has what it names. Both kinds state object and background.
    """
    rng = np.random.default_rng((SEED, 3))
    prompts: dict[str, _Prompt] = {}
    while len(prompts) < n:
        scene = random_scene(rng, two=0.0, empty=0.0, biased=False, held_out=None)
        thing, background = scene.things[0], scene.background
        expectation = Wanted(((thing.object, None),), background=background)
        if len(prompts) % 2:
            stated_word, word = scene.style, str(rng.choice(COLOUR_NAMES))
            unwanted = Wanted(((None, word),))
        else:
            stated_word, word = thing.colour, str(rng.choice([style for style in STYLE_NAMES if style != "flat"]))
            unwanted = Wanted(style=word)
        place = BACKGROUND_PHRASES.get(background, f"on a {background} background")
        text = f"{with_article(f'{stated_word} {thing.object}')} {place}"
        prompts.setdefault(text, _Prompt(text, expectation, word, unwanted=unwanted))
    return _cases(prompts, FULL_SEEDS)


def _cases(prompts: dict[str, _Prompt], seeds: int) -> list[Case]:
    """The seeds of a prompt side by side: the k-th picture of prompt p has seed p * seeds + k, in every arm."""
    return [
        Case(
            prompt.text,
            FIRST_SEED + p * seeds + k,
            prompt.expectation,
            negative=prompt.negative,
            scene=prompt.scene,
            unwanted=prompt.unwanted,
        )
        for p, prompt in enumerate(prompts.values())
        for k in range(seeds)
    ]


SUITES.register("claims-full")(
    Suite("Captions of one object that say everything, each with a negative prompt.", 224, 28, 2000, full)
)
SUITES.register("claims-negative")(
    Suite("Style or colour left open, with a word for one of them as negative prompt.", 224, 28, 1000, negatives)
)
SUITES.register("claims-open")(
    Suite(
        "Object and colour said and the rest left open, four seeds each.",
        224,
        28,
        OPEN_SEEDS * 96,  # there are twelve objects in eight colours
        lambda pictures: open_ended(-(-pictures // OPEN_SEEDS))[:pictures],
    )
)
