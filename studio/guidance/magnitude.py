"""Magnitude-aware guidance: the scale is damped where the step is large beside the prediction it starts from.

With c, u the velocities eps - x0, w the scale and al the damping:

    rho = |c - u|/|u|
    w_i = 1 + (w-1)*exp(-al*rho)
    v   = u + w_i*(c - u)

rho is large at the first steps, where guidance does most harm, and has no common scale across spaces: the velocity is
the one its numbers are for. diffusers' MagnitudeAwareGuidance does the same on the raw output.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from torch import Tensor

from studio.core.params import param
from studio.guidance.base import GUIDANCE, OneRound, Quantity, State, StepCtx
from studio.guidance.prediction import Preds
from studio.guidance.space import has, in_space, to_data
from studio.guidance.vectors import norm, ratio


@GUIDANCE.register("magnitude")
class MagnitudeAwareGuidance(OneRound):
    """High scale late, low scale while the two predictions are far apart.

    With damping 0 it is classifier-free guidance. Known failure: a damping for velocities is far off on other spaces.
    Costs 2 NFE a step, 1 at scale 1.
    """

    source: ClassVar[str] = "arXiv:2508.03442"
    label: ClassVar[str] = "Magnitude-aware (MAMBO-G)"
    neutral: ClassVar[dict[str, float]] = {"guidance_scale": 1.0}
    native_space: ClassVar = "flow"
    needs: ClassVar[tuple[str, ...]] = ("cond", "uncond")
    diagnostics: ClassVar[Mapping[str, Quantity]] = {
        "rho": Quantity("Length of the step over that of the unconditional"),
        "scale": Quantity("Scale after damping"),
    }

    guidance_scale: float = param(10.0, low=1, high=30, step=0.1, help="scale where the predictions nearly agree")
    damping: float = param(8.0, low=0, high=20, step=0.5, help="how fast the scale falls as they part; 0 is off")
    space: Literal["flow", "raw"] = param("flow", help="what is measured: the velocity, or the network's output")

    def describe(self) -> str:
        return f"v = u + w*(c - u), w = 1 + {self.guidance_scale - 1:g}*exp(-{self.damping:g}*|c - u|/|u|)"

    def active_needs(self) -> tuple[str, ...]:
        return ("cond",) if self.guidance_scale == 1 else self.needs

    def combine(self, preds: Preds, step: StepCtx, state: State) -> tuple[Tensor, State]:
        if self.guidance_scale == 1 or not has(preds.cond, self.space):
            return preds.cond.x0, state
        c, u = in_space(preds.cond, self.space), in_space(preds.uncond, self.space)  # [B, C, H, W]
        return to_data(u + self._scale(c, u).to(c.dtype) * (c - u), preds.cond, self.space), state

    def observe(self, preds: Preds, step: StepCtx, state: State) -> dict[str, Tensor]:
        if self.guidance_scale == 1 or not has(preds.cond, self.space):
            return {}
        c, u = in_space(preds.cond, self.space), in_space(preds.uncond, self.space)
        return {"rho": ratio(c - u, u), "scale": self._scale(c, u).flatten()}

    def _scale(self, c: Tensor, u: Tensor) -> Tensor:
        """w_i, [B, 1, 1, 1]. Where u is 0 the step is infinitely large, unless it is 0 too."""
        rho = norm(c - u) / norm(u).clamp(min=1e-30)
        return 1 + (self.guidance_scale - 1) * (-self.damping * rho).exp()
