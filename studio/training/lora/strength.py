"""A parameter of a loss that the training finds: how strongly it is held to the base.

    first   scale / e,  e the base's error on what is learned from
    then    where |beta/2 m| > content and pictures are as they were: beta becomes what makes it content

A fixed strength says nothing of another network or another space of errors, whose errors are of another size. And one
that is too large fits the labels and changes no picture: the log odds are soon as far apart as the loss asks for, while
the errors have moved by a hundredth (docs/design/0031). So it is the pictures that say whether it is small enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from studio.core.errors import BadInput
from studio.diffusion.predictions import Loss
from studio.training.lora.policies import AutoPlan

DECAY = 0.9  # of the running margin, a step
LEAST_FACTOR = 0.5  # that one step takes it back by


class Strength:
    """Of one training.

    value: at present; 0 before it was found.
    """

    def __init__(self, plan: AutoPlan) -> None:
        self._plan = plan
        self.value = 0.0
        self._margin = 0.0  # running mean of its size
        self._change = -1.0  # of pictures, at the newest look; -1 before the first

    def find(self, measures: Mapping[str, float]) -> None:
        """Set the first value. measures: of the base. Raises BadInput where they have no such error."""
        error = measures.get(self._plan.error, 0.0)
        if not error > 0:
            raise BadInput(
                f"This loss tells no {self._plan.error!r}, by which its {self._plan.param} could be found.",
                f"Give {self._plan.param} as a number.",
                field="params",
            )
        self.value = self._plan.scale / error

    def step(self, measures: Mapping[str, float]) -> None:
        """Take in one step of the optimiser; called once for each, whatever else was asked in between."""
        self._margin = DECAY * self._margin + (1 - DECAY) * abs(measures.get(self._plan.margin, 0.0))
        log_odds = self.value / 2 * self._margin
        if 0 <= self._change < self._plan.change and log_odds > self._plan.content:
            self.value *= max(LEAST_FACTOR, self._plan.content / log_odds)

    def see(self, change: float) -> None:
        """Take in how much pictures have changed, in levels of 255."""
        self._change = change

    def applied(self, loss: Loss) -> Loss:
        """The loss with it."""
        changed: Any = loss
        return changed.model_copy(update={self._plan.param: self.value})

    @property
    def plain(self) -> dict[str, float]:
        """Its name and value."""
        return {self._plan.param: self.value}

    def state(self) -> Tensor:
        """For a checkpoint."""
        return torch.tensor([self.value, self._margin, self._change], dtype=torch.float64)

    def load(self, state: Tensor) -> None:
        """Go on from one."""
        self.value, self._margin, self._change = state.tolist()
