"""Objectives over ranked lists of one prompt, all with one noise and one time, the best first.

    r_i = beta/2 (e_ref(i) - e(i))
    Plackett-Luce   -sum_{k<n} [ r_k - log sum_{j>=k} exp r_j ]
    best of n       its first term alone: those behind the best were not compared
    RankDPO         -sum_{i<j} D_ij log sigma(2 (r_i - r_j)) / sum D,   D_ij = |G_i - G_j| |1/log(1+i) - 1/log(1+j)|
                    G_i = 2^(phi_i) - 1, phi_i the share of the others that i beats

Of two pictures all are Diffusion-DPO, RankDPO with twice its beta. Sources: Plackett 1975, Luce 1959, as in DPO's
appendix (arXiv:2305.18290, A.3); RankDPO, arXiv:2410.18013, on ranks that people gave.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from studio.alignment.columns import PROMPT, place
from studio.alignment.errors import WINNER, PairObjective, gain
from studio.core.params import param
from studio.diffusion.predictions import Prediction


def rank_weights(shares: Sequence[float]) -> Tensor:
    """D of a list without ties, [n, n], upper triangle. shares: phi, of the best first."""
    gains = torch.tensor([2**share - 1 for share in shares], dtype=torch.float64)
    discounts = torch.tensor([1 / math.log(2 + number) for number in range(len(shares))], dtype=torch.float64)
    return ((gains[:, None] - gains).abs() * (discounts[:, None] - discounts).abs()).triu(1)


class ListDPO(PairObjective):
    """From lists of so many pictures each, against the base as the reference."""

    beta: float = param(100.0, low=0.01, high=1e6, help="strength; the smaller, the further from the base")
    form: Literal["plackett_luce", "best", "rank"] = param("plackett_luce", help="what is made of the order")
    count: int = param(4, low=2, high=8, help="pictures of a list")

    @property
    def sides(self) -> Mapping[str, tuple[str, str]]:
        """winner and loser are the first and the last, whose errors are shown."""
        middle = {f"place {number + 1}": (PROMPT, place(number)) for number in range(1, self.count - 1)}
        return {"winner": (PROMPT, WINNER), **middle, "loser": (PROMPT, place(self.count - 1))}

    def terms(self, predictions: Mapping[str, Prediction], numbers: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """preference: mean over rows, weighted."""
        rewards = self.beta / 2 * torch.stack([gain(predictions, side, self.space) for side in self.sides])
        return {"preference": (numbers["weight"] * self.losses(rewards)).mean()}

    def losses(self, rewards: Tensor) -> Tensor:
        """[B]. rewards: [n, B], the best first."""
        if self.form == "rank":
            gaps = 2 * (rewards[:, None] - rewards[None])
            shares = [1 - number / (self.count - 1) for number in range(self.count)]
            weights = rank_weights(shares).to(rewards)
            weights = weights / weights.sum()
            return -(weights[..., None] * logsigmoid(gaps)).sum((0, 1))
        terms = self.count - 1 if self.form == "plackett_luce" else 1
        chosen = [rewards[k] - torch.logsumexp(rewards[k:], 0) for k in range(terms)]
        return -torch.stack(chosen).sum(0)
