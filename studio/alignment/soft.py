"""Soft labels: how sure the preference is decides how far apart the two are driven.

    smpo       -log sigma( 10 (2p - 1) z )
    soft       -p log sigma(z) - (1 - p) log sigma(-z)

with z as in studio/alignment/dpo.py and p the probability that the winner is preferred: from several annotators, or
from the taste model. At p = 1/2 the first teaches nothing, and the second that the two are equal; its minimum is z =
logit p. Source: SmPO-Diffusion, arXiv:2506.02698, and its code for the factor 10; conservative labels, cDPO.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from torch import Tensor
from torch.nn.functional import logsigmoid

from studio.alignment.errors import PairObjective
from studio.core.params import param
from studio.diffusion.predictions import Prediction

SHARPNESS = 10.0


class SoftDPO(PairObjective):
    """From pairs of which it is known how clear they are."""

    beta: float = param(100.0, low=0.01, high=1e6, help="strength; the smaller, the further from the base")
    form: Literal["smpo", "soft"] = param("smpo", help="what an unclear pair teaches: nothing, or that both are equal")

    @property
    def numbers(self) -> Mapping[str, float]:
        """weight: what the row's label counts; p: how likely the winner is preferred, 0 to 1."""
        return {"weight": 1.0, "p": 1.0}

    def terms(self, predictions: Mapping[str, Prediction], numbers: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """preference: mean over rows, weighted."""
        z, p = self.beta / 2 * self.margin(predictions), numbers["p"]
        if self.form == "smpo":
            losses = -logsigmoid(SHARPNESS * (2 * p - 1) * z)
        else:
            losses = -p * logsigmoid(z) - (1 - p) * logsigmoid(-z)
        return {"preference": (numbers["weight"] * losses).mean()}
