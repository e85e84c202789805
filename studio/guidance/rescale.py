"""Rescale around any method: the contrast of the outcome pulled back to that of the conditional prediction.

    g <- g * (1 + phi*(std(c)/std(g) - 1))      std per sample

On the network's output, as in the paper, or on the predicted data.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from studio.core.params import param
from studio.diffusion.parameterisation import at_least_float32
from studio.guidance.base import StepCtx
from studio.guidance.prediction import Pred
from studio.guidance.space import in_space, to_data
from studio.guidance.vectors import std
from studio.guidance.wrapper import WRAPPERS, Wrapper


@WRAPPERS.register("rescale")
class Rescale(Wrapper):
    """Pull contrast back to that of the picture without guidance."""

    source: ClassVar[str] = "arXiv:2305.08891"
    label: ClassVar[str] = "rescale"

    phi: float = param(0.7, low=0, high=1, step=0.05, help="how much of the contrast gained is taken back; 0 is off")
    space: Literal["raw", "x0"] = param("raw", help="what is measured: the network's output, or the predicted image")

    def finish(self, x0: Tensor, cond: Pred, ctx: StepCtx) -> Tensor:
        if self.phi == 0 or (self.space == "raw" and cond.at.s == 0):
            return x0
        if self.space == "x0":
            return rescale(x0, cond.x0, self.phi)
        return to_data(rescale(cond.raw_of(x0), in_space(cond, "raw"), self.phi), cond, "raw")

    def describe(self) -> str:
        return f"contrast of {self.space} pulled back by {self.phi:g}"


def rescale(pred: Tensor, pred_cond: Tensor, phi: float) -> Tensor:
    """Pull the per-sample std of a guided prediction back to that of the conditional one.

    pred, pred_cond: [B, C, H, W], any float dtype; computed in float32 or better. phi: 0 = off, 1 = full.
    A sample without spread is left alone. Source: arXiv:2305.08891, section 3.4, eq. 15 and 16.
    """
    pred = at_least_float32(pred)
    spread = std(pred)
    ratio = torch.where(spread > 0, std(pred_cond) / spread.clamp(min=1e-30), torch.ones_like(spread))
    return pred * (1 + phi * (ratio - 1)).to(pred.dtype)
