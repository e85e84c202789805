"""Objectives over single pictures that were liked or not: what thumbs teach.

A row is a liked picture and a disliked one, each under a prompt of its own, which have nothing in common but noise and
time: g = e_ref - e of each says how much better the student has become at it than the reference.

    KTO    L = lambda_up (1 - sigma(beta/2 (g_up - z0))) + lambda_down (1 - sigma(-beta/2 (g_down - z0)))
           z0 = max(0, mean g), without gradient
    BCO    L = -log sigma(beta/2 (g_up - delta)) - log sigma(-beta/2 (g_down - delta))
           delta = [ mean g_up + mean g_down ] / 2, without gradient

Both references are means over the batch. The half beside beta is that of Diffusion-DPO (studio/alignment/dpo.py), so
that one beta is one strength. Sources: Diffusion-KTO, arXiv:2404.04465; BCO, arXiv:2404.04656.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from studio.alignment.columns import LOSER, OTHER, PROMPT
from studio.alignment.errors import WINNER, PairObjective, gain
from studio.core.params import param
from studio.diffusion.predictions import Prediction


class _Unpaired(PairObjective):
    beta: float = param(100.0, low=0.01, high=1e6, help="strength; the smaller, the further from the base")

    @property
    def sides(self) -> Mapping[str, tuple[str, str]]:
        """The liked picture and the disliked one, each under its own prompt."""
        return {"winner": (PROMPT, WINNER), "loser": (OTHER, LOSER)}

    @property
    def numbers(self) -> Mapping[str, float]:
        """weight, other_weight: what the labels of the two count."""
        return {"weight": 1.0, "other_weight": 1.0}

    def gains(self, predictions: Mapping[str, Prediction]) -> tuple[Tensor, Tensor]:
        """Of the liked and of the disliked, each [B]."""
        return gain(predictions, "winner", self.space), gain(predictions, "loser", self.space)


class KTO(_Unpaired):
    """As people weigh gains and losses: beyond some point more does not count."""

    up: float = param(1.0, low=0, high=100, help="what liked pictures count")
    down: float = param(1.0, low=0, high=100, help="what disliked pictures count")

    def terms(self, predictions: Mapping[str, Prediction], numbers: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """liked, disliked: half each, means over rows, weighted."""
        up, down = self.gains(predictions)
        reference = torch.cat([up, down]).mean().clamp_min(0).detach()
        liked = 1 - torch.sigmoid(self.beta / 2 * (up - reference))
        disliked = 1 - torch.sigmoid(-self.beta / 2 * (down - reference))
        return {
            "liked": self.up / 2 * (numbers["weight"] * liked).mean(),
            "disliked": self.down / 2 * (numbers["other_weight"] * disliked).mean(),
        }


class BCO(_Unpaired):
    """As a classifier of liked and disliked pictures, whose threshold lies midway between the two."""

    def terms(self, predictions: Mapping[str, Prediction], numbers: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """liked, disliked: half each, means over rows, weighted."""
        up, down = self.gains(predictions)
        threshold = ((up.mean() + down.mean()) / 2).detach()
        liked = -logsigmoid(self.beta / 2 * (up - threshold))
        disliked = -logsigmoid(-self.beta / 2 * (down - threshold))
        return {
            "liked": (numbers["weight"] * liked).mean() / 2,
            "disliked": (numbers["other_weight"] * disliked).mean() / 2,
        }
