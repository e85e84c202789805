"""The whole trial: pictures drawn, read and judged, tastes learned, and how right they are, as plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from studio.evidence.taste.annotators import TASTES, Asked, utilities
from studio.evidence.taste.pictures import Pool, draw_pool, open_prompts
from studio.evidence.taste.trial import Side, accuracy, chosen_against_random, named
from studio.training.evaluate.drawing import Draw
from studio.training.features.extractors import load
from studio.world.oracle import Oracle

EXTRACTORS = ("clip", "oracle", "attributes")
LABELS, REPEATS = (50, 100, 300), 6
CHOSEN_LABELS = (40, 80, 120)
CHOSEN = (("oracle", "style"), ("oracle", "clean"), ("clip", "style"))
# (features, taste) -> what a model of 300 labels must reach on prompts it has not seen.
GOALS = {("clip", "style"): 0.80, ("clip", "colour"): 0.93, ("oracle", "style"): 0.88, ("oracle", "clean"): 0.93}
Extract = Callable[[Any], Any]


class Trial:
    """Pictures of prompts to learn from and of others to try on.

    seed: of prompts and pictures; those this program's settings were chosen on are of seed 1.
    """

    def __init__(
        self,
        draw: Draw,
        side_px: int,
        *,
        seed: int,
        prompts: int = 60,
        held_out: int = 24,
        on_picture: Callable[[], None] = lambda: None,
    ) -> None:
        rng = np.random.default_rng((71, seed))
        texts = open_prompts(rng, prompts + held_out)
        self._pools: list[Pool] = []
        for part, first_seed in ((texts[:prompts], 100_000 * seed), (texts[prompts:], 100_000 * seed + 50_000)):
            pool = draw_pool(
                part, draw, rng, plain=4, worded=4, first_seed=first_seed, side_px=side_px, on_picture=on_picture
            )
            self._pools.append(pool)
        oracle = Oracle.load()
        self._readings = [oracle.read(pool.pictures) for pool in self._pools]
        self._invalid = [oracle.logits(pool.pictures)["invalid"].double().numpy() for pool in self._pools]
        self._features: dict[str, list[torch.Tensor]] = {}

    def sides(self, extractor: str, taste: str) -> tuple[Side, Side]:
        """To learn from, and to try on."""
        if extractor not in self._features:
            extract = load(extractor).extract
            self._features[extractor] = [_in_blocks(extract, pool) for pool in self._pools]
        learned_from, tried_on = (
            Side(
                Asked(pool.prompts, named(pool.prompts, str(half)), utilities(taste, readings, invalid)),
                features,
                pool.pairs(),
            )
            for half, (pool, readings, invalid, features) in enumerate(
                zip(self._pools, self._readings, self._invalid, self._features[extractor], strict=True)
            )
        )
        return learned_from, tried_on

    def accuracies(self, labels: Sequence[int] = LABELS, repeats: int = REPEATS) -> Iterator[dict[str, Any]]:
        """How right a model is after so many labels, of every features and taste."""
        for extractor in EXTRACTORS:
            for taste in TASTES:
                sides = self.sides(extractor, taste)
                for number in labels:
                    row = asdict(accuracy(*sides, number, repeats))
                    goal = GOALS.get((extractor, taste)) if number == max(LABELS) else None
                    yield {"features": extractor, "taste": taste, "goal": goal, **row}

    def choices(self, labels: Sequence[int] = CHOSEN_LABELS, repeats: int = REPEATS) -> Iterator[dict[str, Any]]:
        """What pairs chosen by what they tell give against random ones."""
        for extractor, taste in CHOSEN:
            sides = self.sides(extractor, taste)
            for number in labels:
                chosen, by_chance, difference = chosen_against_random(*sides, number, repeats)
                arms = {"labels": number, "chosen": chosen, "random": by_chance, "difference": difference._asdict()}
                yield {"features": extractor, "taste": taste, "repeats": repeats, **arms}


def _in_blocks(extract: Extract, pool: Pool) -> torch.Tensor:
    blocks = [extract(pool.pictures[at : at + 32]) for at in range(0, len(pool.pictures), 32)]
    return torch.from_numpy(np.concatenate(blocks)).double()
