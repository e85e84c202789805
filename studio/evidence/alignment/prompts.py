"""Which prompts are labelled, which a strength is chosen on, and which pictures are compared on: no prompt twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from studio.core.recipe import GuidanceSpec
from studio.evidence.alignment.sizes import Sizes
from studio.evidence.taste.pictures import GUIDANCE_SCALE, STEPS
from studio.training.evaluate.cases import Case
from studio.training.evaluate.protocol import Protocol
from studio.training.evaluate.suites.held_out import prompt_scenes
from studio.world.caption import canonical
from studio.world.open_prompts import HIDDEN_WORDS, OpenPrompt, open_prompts
from studio.world.reading import Wanted

SPLIT_SEED = 73  # of which prompts are in which set
POOL_SEED, TUNED_SEED, TEST_SEED, STATED_SEED = 7_100_000, 7_200_000, 7_300_000, 7_400_000  # of the first pictures
STATED_SCENES = 5  # which captions: others than those of suites and gates
PROTOCOL = Protocol(steps=STEPS, guidance=GuidanceSpec(params={"guidance_scale": GUIDANCE_SCALE}))


@dataclass(frozen=True)
class Prompts:
    """Every prompt leaves style and colour unsaid."""

    labelled: tuple[OpenPrompt, ...]
    tuned: tuple[OpenPrompt, ...]
    test: tuple[OpenPrompt, ...]

    @classmethod
    def of(cls, sizes: Sizes) -> Prompts:
        """The sets of these sizes. Raises ValueError for more prompts than there are."""
        count = sizes.prompts + sizes.tuned + sizes.test
        prompts = open_prompts(np.random.default_rng(SPLIT_SEED), count)
        if len(prompts) < count:
            raise ValueError(f"there are {len(prompts)} open prompts, and not {count}")
        first, second = sizes.test, sizes.test + sizes.tuned
        return cls(tuple(prompts[second:]), tuple(prompts[first:second]), tuple(prompts[:first]))


def pool_cases(prompts: Sequence[OpenPrompt], plain: int, worded: int) -> list[tuple[str, Case]]:
    """What is drawn to be labelled: the prompt that is read, and the one that is drawn. All of a prompt in a row."""
    rng = np.random.default_rng((SPLIT_SEED, 1))
    cases: list[tuple[str, Case]] = []
    for prompt in prompts:
        for number in range(plain + worded):
            words = [str(rng.choice(group)) for group in HIDDEN_WORDS] if number >= plain else ()
            cases.append((prompt.text, Case(prompt.saying(words), POOL_SEED + len(cases))))
    return cases


def open_cases(prompts: Sequence[OpenPrompt], seeds: int, first_seed: int) -> list[Case]:
    """So many pictures of each prompt, side by side; its object is expected."""
    return [
        Case(prompt.text, first_seed + place * seeds + number, Wanted(((prompt.object, None),)))
        for place, prompt in enumerate(prompts)
        for number in range(seeds)
    ]


def stated_cases(count: int) -> list[Case]:
    """Captions that say everything, in combinations that no training picture showed."""
    scenes = prompt_scenes(count, 1, STATED_SCENES)
    expectations = [Wanted(((s.things[0].object, s.things[0].colour),), s.style, s.background) for s in scenes]
    return [
        Case(canonical(scene), STATED_SEED + number, expectation)
        for number, (scene, expectation) in enumerate(zip(scenes, expectations, strict=True))
    ]
