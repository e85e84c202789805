"""Looks at a training on its way: pictures drawn with what has been learned, read, and held against the base's own.

A look is over as soon as it cannot be at the ceiling any more, which early ones are after a few pictures. It takes
nothing of the training's randomness, and what was counted is part of its checkpoint: a run that was killed and goes on
looks at the same steps, and ends at the same one.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studio.core.recipe import EditRef
from studio.engine.kinds import JobContext, Steps
from studio.training.evaluate.cases import Case
from studio.training.evaluate.drawing import by_engine
from studio.training.evaluate.meter import Picture
from studio.training.lora.plan import Plan
from studio.world.oracle import Oracle
from studio.world.reading import Reading

IN_A_ROW = 2  # looks: one alone may be luck
TOGETHER = 4  # pictures drawn in one company, before it is asked whether to go on
LEAST_CEILING = 0.5  # share of the base's pictures: below, blends of both would pass for what is wanted


@cache
def oracle() -> Oracle:
    """The world's, loaded once."""
    return Oracle.load()


class Looks:
    """The looks of one training.

    past: (step, pictures that showed what was expected, pictures drawn) of each so far.
    ceiling: pictures of the base's that did; None before the first look.
    seconds: of all looks.
    """

    def __init__(self, plan: Plan, live: str, context: JobContext, side_px: int) -> None:
        """live: what recipes call the edit that learns. side_px: of the pictures."""
        self._steps, self._looks, self._live = plan.steps, plan.looks, live
        self._model, self._context, self._side_px = plan.model, context, side_px
        self.past: list[tuple[int, int, int]] = []
        self.ceiling: int | None = None
        self.seconds = 0.0

    def is_due(self, step: int) -> bool:
        """Whether one is to be taken before the step after this one: sooner where the last was at the ceiling."""
        if self._looks is None or not 0 < step < self._steps:
            return False
        last, hits, _ = self.past[-1] if self.past else (0, -1, 0)
        every = self._looks.every
        return step >= last + (max(1, every // 2) if hits >= (self.ceiling or 0) else every)

    def take(self, step: int) -> Steps:
        """Draw and read. Yields wherever drawing does; stopped within it, it is taken again."""
        assert self._looks is not None, "none is due otherwise"
        began = time.monotonic()
        if self.ceiling is None:
            self.ceiling, _ = yield from self._count(self._looks.ceiling, (), 0)
        refs = (EditRef(edit=self._live),)
        self.past.append((step, *(yield from self._count(self._looks.cases, refs, self.ceiling))))
        self.seconds += time.monotonic() - began

    @property
    def left_s(self) -> float | None:
        """What one that is due after the next step takes, in seconds; None while nobody knows."""
        if self._looks is None:
            return 0.0
        return self.seconds / len(self.past) if self.past else None

    def measures(self) -> dict[str, float]:
        """Shares of the newest look, of the pictures that were drawn, and of the base."""
        if self._looks is None or not self.past or self.ceiling is None:
            return {}
        _, hits, count = self.past[-1]
        name = self._looks.name
        return {name: hits / count, f"{name}, base": self.ceiling / len(self._looks.cases)}

    @property
    def is_enough(self) -> bool:
        """Whether the training is over for what was seen."""
        if self._looks is None or not self._looks.stops or self.ceiling is None:
            return False
        return at_ceiling([hits for _, hits, _ in self.past], self.ceiling, len(self._looks.cases))

    def ended(self) -> str:
        """Why the training is over, a sentence; "" while it is not."""
        if self._looks is None or not self.is_enough:
            return ""
        step, hits, _ = self.past[-1]
        return (
            f"Stopped after {step} of {self._steps} steps: {self._looks.name} in {hits} of {len(self._looks.cases)} "
            f"pictures, as often as by the base ({self.ceiling})."
        )

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        if self.ceiling is None:
            return {}
        return {
            "looks/past": torch.tensor(self.past, dtype=torch.int64).reshape(-1, 3),
            "looks/ceiling": torch.tensor(self.ceiling),
            "looks/seconds": torch.tensor(self.seconds, dtype=torch.float64),
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from a checkpoint, which may be of before the first."""
        if "looks/ceiling" not in tensors:
            return
        self.past = [(step, hits, count) for step, hits, count in tensors["looks/past"].tolist()]
        self.ceiling, self.seconds = int(tensors["looks/ceiling"]), float(tensors["looks/seconds"])

    def _count(
        self, plain_cases: Sequence[Mapping[str, Any]], refs: Sequence[EditRef], least: int
    ) -> Generator[None, None, tuple[int, int]]:
        """How many pictures show what is expected of them, and of how many: no more than can still have `least`."""
        assert self._looks is not None
        cases, hits, pictures_drawn = [Case.load(values) for values in plain_cases], 0, 0
        draw = by_engine(self._context.engine, {}, self._context.should_stop)
        while pictures_drawn < len(cases) and hits + len(cases) - pictures_drawn >= least:
            company = cases[pictures_drawn : pictures_drawn + TOGETHER]
            recipes = [self._looks.protocol.recipe(case, self._model, self._side_px, refs) for case in company]
            pictures: dict[int, Picture] = {}
            for turn in draw(recipes):
                if turn is None:
                    yield
                else:
                    pictures[turn[0]] = turn[1]
            readings = oracle().read(np.stack([pictures[place] for place in range(len(company))]))
            hits += sum(shows(reading, case) for reading, case in zip(readings, company, strict=True))
            pictures_drawn += len(company)
        return hits, pictures_drawn


def shows(reading: Reading, case: Case) -> bool:
    """Whether a picture is valid and has all that is expected of it."""
    assert case.expectation is not None, "the plan was checked"
    return not reading.invalid and all(reading.matches(case.expectation).values())


def at_ceiling(hits: Sequence[int], ceiling: int, count: int) -> bool:
    """Whether the newest looks, IN_A_ROW of them, each have as many hits as the base's own pictures.

    hits: of each look in turn. ceiling: of the base. count: pictures of each. Where the base itself shows it in fewer
    than half of them, nothing is concluded.
    """
    newest = hits[-IN_A_ROW:]
    return len(newest) == IN_A_ROW and ceiling >= LEAST_CEILING * count and min(newest) >= ceiling
