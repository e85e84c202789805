"""Rows that nothing is learned from: how the loss stands on them, and whether what was preferred has become worse.

Noise and times are the same at every look, and none of the training's own randomness, which goes on as it would have
without; so the same looks come to the same numbers, also after a run that was killed.
"""

from __future__ import annotations

from collections.abc import Generator

import torch

from studio.engine.kinds import Steps
from studio.training.lora.questions import Batch
from studio.training.lora.training import Training

WINNER_ERROR = "winner error"  # as objectives of preference name it
PREFIX = "held-out "
_SEEDS = 2**41  # from here on: no look has the noise of a step


class HeldOut:
    """The looks of one training at what its plan holds out."""

    def __init__(self, training: Training) -> None:
        self._training, self._plan = training, training.plan.held_out
        self._base: dict[str, float] = {}
        self._newest: dict[str, float] = {}
        self._looked_at = -1

    def is_due(self, step: int) -> bool:
        """Whether one is to be taken now: before the first step, every so many, and at the last."""
        if self._plan is None or step == self._looked_at:
            return False
        return step % self._plan.every == 0 or step == self._training.plan.steps

    def take(self, step: int) -> Steps:
        """Try the loss. Yields after every evaluation of the network; the base is asked once."""
        if not self._base:
            self._base = yield from self._values(is_base=True)
        self._newest, self._looked_at = (yield from self._values(is_base=False)), step

    def measures(self) -> dict[str, float]:
        """Of the newest look, by the names of the curves; the winners' rise in per cent."""
        values = {f"{PREFIX}{name}": value for name, value in self._newest.items()}
        rise = self.rise
        return values if rise is None else {**values, f"{PREFIX}{WINNER_ERROR}, rise in %": 100 * rise}

    @property
    def rise(self) -> float | None:
        """Of the error on winners over the base's, as a share; None where it has not been looked at, or is not told."""
        newest, base = self._newest.get(WINNER_ERROR), self._base.get(WINNER_ERROR)
        return newest / base - 1 if newest is not None and base else None

    @property
    def is_enough(self) -> bool:
        """Whether the training is over, for what was preferred has become worse."""
        rise, most = self.rise, self._plan.stop_rise if self._plan is not None else None
        return rise is not None and most is not None and rise > most

    def ended(self) -> str:
        """Why the training is over, a sentence; "" while it is not."""
        if not self.is_enough or self.rise is None:
            return ""
        steps = self._training.plan.steps
        return (
            f"Stopped after {self._looked_at} of {steps} steps: the error on preferred pictures it had not seen rose "
            f"by {self.rise:.0%}; from there on pictures break."
        )

    def _values(self, is_base: bool) -> Generator[None, None, dict[str, float]]:
        """Means over the rows. is_base: of the network as it is, without what has been learned."""
        sums: dict[str, float] = {}
        batches = self._batches()
        for batch in batches:
            for name, value in self._training.tried(batch, is_base).items():
                sums[name] = sums.get(name, 0.0) + value * len(batch.x)
            yield
        count = sum(len(batch.x) for batch in batches)
        return {name: value / count for name, value in sums.items()}

    def _batches(self) -> list[Batch]:
        plan, whole = self._plan, self._training.plan
        assert plan is not None, "nothing is due otherwise"
        generator = torch.Generator().manual_seed((whole.seed + _SEEDS) % 2**63)
        rows = torch.arange(whole.learned_rows, len(whole.prompts)).repeat(plan.draws)
        return [self._training.batches.placed(part, generator) for part in rows.split(whole.batch)]
