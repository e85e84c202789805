"""Dynamic thresholding around any method: values that ran out of range are clipped, the rest brought back with them.

    pixel     S = clamp(quantile_p |g|, 1, ceiling) per sample;   g <- clamp(g, -S, S)/S
    latent    S_g, S_c = quantile_p of |g - mean|, |c - mean| per channel;
              where S_g > S_c:   g <- mean + clamp(g - mean, -S_g, S_g)*S_c/S_g

The pixel form is the paper's and fits models whose data are pixels in [-1, 1]; on latents it destroys colour. The
latent form is ours. Either way g <- (1 - phi)*g + phi*(the above).
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor

from studio.core.params import param
from studio.diffusion.parameterisation import at_least_float32
from studio.guidance.base import StepCtx
from studio.guidance.prediction import Pred
from studio.guidance.wrapper import WRAPPERS, Wrapper


@WRAPPERS.register("threshold")
class Threshold(Wrapper):
    """Clip what guidance drove out of range. Also kills legitimate highlights where phi is high."""

    source: ClassVar[str] = "arXiv:2205.11487, section 2.3 (pixel); this project (latent)"
    label: ClassVar[str] = "dynamic threshold"

    form: Literal["latent", "pixel"] = param("latent", help="pixel only for models that work on pixels in -1 to 1")
    percentile: float = param(0.995, low=0.9, high=1, step=0.001, help="share of the values taken to be in range")
    phi: float = param(1.0, low=0, high=1, step=0.05, help="how much of it is applied; 0 is off")
    # At 1 the rule is a plain clip to [-1, 1], which is what diffusers' schedulers do unless told otherwise.
    ceiling: float = param(100.0, low=1, high=100, step=1, help="largest range brought back", when={"form": ("pixel",)})

    def finish(self, x0: Tensor, cond: Pred, ctx: StepCtx) -> Tensor:
        if self.phi == 0:
            return x0
        g = at_least_float32(x0)
        brought = self._pixel(g) if self.form == "pixel" else self._latent(g, cond.x0)
        return g + self.phi * (brought - g)

    def describe(self) -> str:
        return f"{self.form} values clipped at their {100 * self.percentile:g} % quantile, by {self.phi:g}"

    def _pixel(self, g: Tensor) -> Tensor:
        limit = quantile(g.abs().flatten(1), self.percentile).clamp(1, self.ceiling)
        limit = limit.reshape(-1, *[1] * (g.ndim - 1))  # [B, 1, 1, 1]
        return torch.minimum(torch.maximum(g, -limit), limit) / limit

    def _latent(self, g: Tensor, c: Tensor) -> Tensor:
        mean = g.mean((2, 3), keepdim=True)  # [B, C, 1, 1]
        away = g - mean
        mine, theirs = self._spread(away), self._spread(c - c.mean((2, 3), keepdim=True)).to(g.dtype)
        clipped = torch.minimum(torch.maximum(away, -mine), mine) * (theirs / mine.clamp(min=1e-30))
        return torch.where(mine > theirs, mean + clipped, g)

    def _spread(self, away: Tensor) -> Tensor:
        return quantile(away.abs().flatten(2), self.percentile)[..., None, None]


def quantile(values: Tensor, share: float) -> Tensor:
    """Give the quantile over the last dimension, joined straight between neighbours; torch's own is limited in size."""
    place = share * (values.shape[-1] - 1)
    low = int(place)
    ordered = values.sort(-1).values
    high = min(low + 1, values.shape[-1] - 1)
    return ordered[..., low] + (place - low) * (ordered[..., high] - ordered[..., low])
