"""What a tuning is started with, and the questions it asks, as recipes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from studio.core.params import Params, load
from studio.core.recipe import Recipe
from studio.preference.campaign import PICTURES
from studio.preference.tuning.questions import Box
from studio.preference.tuning.votes import Point
from studio.services.tunings.sliders import Slider, placed, point_of

MAX_SLIDERS = 6
MAX_QUESTIONS = 200
QUESTIONS = 60
OPEN_PROMPTS = 60  # drawn from the grammar of Stencil's world where none are named
_SEEDS = 2**32
Form = Literal["pair", "best"]
SIZES: dict[Form, int] = {"pair": PICTURES["pair"], "best": PICTURES["list"]}


class TuningPlan(Params):
    """What a tuning is.

    recipe: where it starts; its prompt and seed do not count.
    sliders: what is tuned.
    prompts: what is drawn, in turns.
    form: whether a question is a pair or the best of four.
    most: questions that are asked at most.
    seed: of the questions, the pictures and their prompts.
    """

    recipe: Recipe
    sliders: tuple[Slider, ...] = Field(min_length=1, max_length=MAX_SLIDERS)
    prompts: tuple[str, ...] = Field(min_length=1, max_length=1000)
    form: Form = "pair"
    most: int = Field(default=QUESTIONS, ge=1, le=MAX_QUESTIONS)
    seed: int = Field(default=0, ge=0, le=2**63 - 1)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> TuningPlan:
        """Build a plan from untrusted values. Raises BadInput."""
        return load(cls, values, "tuning")

    @property
    def size(self) -> int:
        """Pictures of a question."""
        return SIZES[self.form]

    @property
    def start(self) -> Point:
        """Where it starts."""
        return point_of(self.recipe, self.sliders)

    @property
    def box(self) -> Box:
        """The settings there are."""
        return Box(tuple(slider.levels for slider in self.sliders))

    def probe(self, number: int) -> tuple[Point, ...]:
        """The first questions: slider `number` from its low to its high end, all others where they start.

        Whoever sees no difference there sees none of this slider, and where the pictures are equal, it does nothing.
        """
        levels = self.sliders[number].levels - 1
        shares = np.round(np.linspace(0.0, 1.0, self.size) * levels) / levels
        return tuple((*self.start[:number], float(share), *self.start[number + 1 :]) for share in shares)

    def recipes(self, number: int, points: tuple[Point, ...]) -> tuple[str, tuple[Recipe, ...]]:
        """Prompt and recipes of question `number`: one prompt and one seed, so that nothing but the sliders differs.

        The questions about one slider are drawn in isolation: whether their pictures are equal must not depend on what
        else was drawn at the time.
        """
        rng = np.random.default_rng([self.seed, number, 1])
        prompt, seed = self.prompts[number % len(self.prompts)], int(rng.integers(_SEEDS))
        batching = "isolated" if number < len(self.sliders) else "shared"
        base = self.recipe.model_copy(update={"prompt": prompt, "seed": seed, "batching": batching})
        return prompt, tuple(placed(base, self.sliders, point) for point in points)

    def rng(self, number: int) -> np.random.Generator:
        """What question `number` is chosen with."""
        return np.random.default_rng([self.seed, number])
