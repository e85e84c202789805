"""Diffusion-DPO: better at the winner than the reference is, by more than at the loser.

    z = beta/2 [ (e_ref(w) - e(w)) - (e_ref(l) - e(l)) ]
    sigmoid   -(1 - f) log sigma(z) - f log sigma(-z)
    robust    [ -(1 - f) log sigma(z) + f log sigma(-z) ] / (1 - 2 f)
    hinge     max(0, 1 - z)
    ipo       ( z / beta - 1 / (2 tau) )²

with e as in studio/alignment/errors.py and f the share of answers that are taken to be wrong. At the reference z is 0
whatever the pictures, and sigmoid gives log 2. A penalty lambda takes beta lambda max(0, e(w) - e_ref(w)) from z, so
that it does not pay to become worse at the loser by becoming worse at both; an anchor adds beta/2 e(w) of plain
training on winners.

Beta is with the half in front of it, as in the authors' code and diffusers' script for SDXL; its script for SD 1.5
leaves the half out, and its 2500 is 5000 here.

Sources: Diffusion-DPO, arXiv:2311.12908, equation 14; label smoothing, cDPO (Mitchell, 2023); robust DPO,
arXiv:2403.00409; IPO, arXiv:2310.12036; DPO-positive, arXiv:2402.13228.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from studio.alignment.errors import PairObjective, error, gain
from studio.core.params import param
from studio.diffusion.predictions import Prediction


class DiffusionDPO(PairObjective):
    """From pairs, against the base as the reference."""

    beta: float = param(100.0, low=0.01, high=1e6, help="strength; the smaller, the further from the base")
    form: Literal["sigmoid", "robust", "hinge", "ipo"] = param("sigmoid", help="what is made of the margin")
    flipped: float = param(
        0.0, low=0, high=0.45, help="share of answers that are taken to be wrong", when={"form": ("sigmoid", "robust")}
    )
    tau: float = param(500.0, low=0.1, high=1e6, help="the margin to stop at is 1 / (2 tau)", when={"form": ("ipo",)})
    penalty: float = param(0.0, low=0, high=1000, help="for a winner's error above the base's")
    anchor: float = param(0.0, low=0, high=100, help="plain training on winners beside it")

    def terms(self, predictions: Mapping[str, Prediction], numbers: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """preference: mean over rows, weighted; anchor: likewise, where there is one."""
        losses = self.losses(self.logits(predictions))
        terms = {"preference": (numbers["weight"] * losses).mean()}
        if self.anchor:
            winner = error(predictions, "winner", "student", self.space)
            terms["anchor"] = self.anchor * self.beta / 2 * (numbers["weight"] * winner).mean()
        return terms

    def logits(self, predictions: Mapping[str, Prediction]) -> Tensor:
        """z, [B]: the log odds that the winner wins."""
        z = self.beta / 2 * self.margin(predictions)
        if self.penalty:
            z = z - self.beta * self.penalty * torch.relu(-gain(predictions, "winner", self.space))
        return z

    def losses(self, z: Tensor) -> Tensor:
        """One for each of these log odds."""
        wrong = self.flipped
        match self.form:
            case "sigmoid":
                return -(1 - wrong) * logsigmoid(z) - wrong * logsigmoid(-z)
            case "robust":
                return (-(1 - wrong) * logsigmoid(z) + wrong * logsigmoid(-z)) / (1 - 2 * wrong)
            case "hinge":
                return torch.relu(1 - z)
            case "ipo":
                return (z / self.beta - 1 / (2 * self.tau)).square()
