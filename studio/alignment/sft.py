"""Plain training on winners, which every objective here has to beat: L = e(w)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from studio.alignment.columns import PROMPT
from studio.alignment.errors import WINNER, PairObjective, error
from studio.diffusion.predictions import Prediction


class SFT(PairObjective):
    """From pictures that were preferred; the others are not looked at."""

    @property
    def sides(self) -> Mapping[str, tuple[str, str]]:
        """The winner alone."""
        return {"winner": (PROMPT, WINNER)}

    @property
    def has_reference(self) -> bool:
        """It has none."""
        return False

    def terms(self, predictions: Mapping[str, Prediction], numbers: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """likelihood: mean over rows, weighted."""
        winner = error(predictions, "winner", "student", self.space)
        return {"likelihood": (numbers["weight"] * winner).mean()}
