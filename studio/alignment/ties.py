"""Ties as information: which pairs people called equal is learned from as well.

With d the log odds of Diffusion-DPO (studio/alignment/dpo.py):

    Rao-Kupper, theta     win   -log sigma(d - h)                                       h = log theta
                          tie   -log sigma(d - h) - log sigma(-d - h) - log(theta² - 1)
    Davidson, nu          win   -d/2 + log Z                                            Z = e^(d/2) + e^(-d/2) + nu
                          tie   -log nu + log Z

Probabilities of a win, a loss and a tie sum to 1; a tie pulls d to 0 and is at rest there. With theta 3 or nu 2 equal
pictures are a tie in half of the cases. Source: DPO with ties, arXiv:2409.17431; Rao and Kupper 1967; Davidson 1970.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from studio.alignment.errors import PairObjective, error
from studio.core.params import param
from studio.diffusion.predictions import Prediction


class TieAwareDPO(PairObjective):
    """From pairs with a winner, and from ties, whose winner is either of the two."""

    beta: float = param(100.0, low=0.01, high=1e6, help="strength; the smaller, the further from the base")
    model: Literal["rao_kupper", "davidson"] = param("rao_kupper", help="of how likely a tie is")
    theta: float = param(3.0, low=1.001, high=1000, help="threshold of a tie", when={"model": ("rao_kupper",)})
    nu: float = param(2.0, low=0.001, high=1000, help="weight of a tie", when={"model": ("davidson",)})
    anchor: float = param(0.0, low=0, high=100, help="plain training on winners beside it; not of ties")

    @property
    def numbers(self) -> Mapping[str, float]:
        """weight: what the row's label counts; tie: 1 where it is one, else 0."""
        return {"weight": 1.0, "tie": 0.0}

    def terms(self, predictions: Mapping[str, Prediction], numbers: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """win, tie: sums over their rows, weighted, by the number of rows; anchor: where there is one."""
        d, weight, is_tie = self.beta / 2 * self.margin(predictions), numbers["weight"], numbers["tie"]
        wins, ties = self.losses(d)
        terms = {"win": ((1 - is_tie) * weight * wins).mean(), "tie": (is_tie * weight * ties).mean()}
        if self.anchor:
            winner = error(predictions, "winner", "student", self.space)
            terms["anchor"] = self.anchor * self.beta / 2 * ((1 - is_tie) * weight * winner).mean()
        return terms

    def losses(self, d: Tensor) -> tuple[Tensor, Tensor]:
        """Negative log probabilities of a win and of a tie, one for each of these log odds."""
        if self.model == "rao_kupper":
            threshold = math.log(self.theta)
            win = -logsigmoid(d - threshold)
            return win, win - logsigmoid(-d - threshold) - math.log(self.theta**2 - 1)
        total = torch.logsumexp(torch.stack([d / 2, -d / 2, torch.full_like(d, math.log(self.nu))]), 0)
        return total - d / 2, total - math.log(self.nu)
