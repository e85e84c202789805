"""MaPO: a margin between winner and loser without a reference, and the winner's own likelihood.

    phi(e) = k e / (exp(k e) - 1),  k = 1/2
    L = e(w) - beta log sigma( T [ phi(e(w)) - phi(e(l)) ] )

phi falls from 1 at no error. Where the taste is far from what the model draws there is no reference to hold it back;
the loser's error rises quickly, which the curves show. Source: MaPO, arXiv:2406.06424, and its code for k and T.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from studio.alignment.errors import PairObjective, error
from studio.core.params import param
from studio.diffusion.predictions import Prediction

K = 0.5  # the authors' `snr_value`
_SMALL = 1e-6  # below it the quotient is its own limit to rounding


def odds(errors: Tensor) -> Tensor:
    """phi of errors, 1 at 0."""
    scaled = K * errors
    safe = torch.where(scaled < _SMALL, torch.ones_like(scaled), scaled)
    return torch.where(scaled < _SMALL, 1 - scaled / 2, safe / torch.expm1(safe))


class MaPO(PairObjective):
    """From pairs, without a reference: no row of the base is asked for."""

    beta: float = param(0.1, low=0, high=1000, help="what the margin counts beside the winner's likelihood")
    scale: float = param(1000.0, low=0.01, high=1e6, help="T: how sharply the margin is told")

    @property
    def has_reference(self) -> bool:
        """It has none."""
        return False

    def terms(self, predictions: Mapping[str, Prediction], numbers: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """likelihood: of winners; margin: beta times that of the odds. Means over rows, weighted."""
        winner, loser = (error(predictions, side, "student", self.space) for side in ("winner", "loser"))
        margin = -logsigmoid(self.scale * (odds(winner) - odds(loser)))
        weight = numbers["weight"]
        return {"likelihood": (weight * winner).mean(), "margin": self.beta * (weight * margin).mean()}
