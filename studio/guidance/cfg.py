"""Classifier-free guidance, with the rescale of Lin et al.

With c, u the conditional and unconditional predictions of the data, D = c - u and w the scale:

    native     g = u + w*D      w = 1 is the conditional prediction (Imagen, diffusers)
    original   g = c + w*D      w = 0 is (Ho & Salimans); original(w - 1) = native(w)

The formula gives the same image on x0, eps, v or u; the rescale does not.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor

from studio.core.params import param
from studio.diffusion.parameterisation import to_x0
from studio.guidance.base import GUIDANCE, OneRound, Preds, State, StepCtx
from studio.guidance.rescale import rescale


@GUIDANCE.register("cfg")
class ClassifierFreeGuidance(OneRound):
    """Extrapolate from the unconditional (or negative-prompt) prediction through the conditional one.

    Known failures: saturation and blown contrast at high scale, lost variety, and a negative prompt acts
    everywhere in the image, not only where its subject is. Costs 2 NFE a step, 1 where it is neutral.
    """

    source: ClassVar[str] = "arXiv:2207.12598; arXiv:2205.11487; arXiv:2305.08891 (rescale)"
    neutral: ClassVar[dict[str, float]] = {"guidance_scale": 1.0}
    native_space: ClassVar = "any"
    needs: ClassVar[tuple[str, ...]] = ("cond", "uncond")

    guidance_scale: float = param(1.5, low=0, high=30, step=0.1, help="1 follows the prompt as learned, more insists")
    rescale: float = param(0.0, low=0, high=1, step=0.05, help="pulls contrast back to the unguided; 0 off, try 0.7")
    formulation: Literal["native", "original"] = param(
        "native", help="original counts the scale from 0 where native counts from 1"
    )
    rescale_space: Literal["raw", "x0"] = param(
        "raw", help="what the rescale measures: the network's output, as its paper does, or the predicted image"
    )

    @property
    def scale(self) -> float:
        """The scale of the native formulation."""
        return self.guidance_scale + (self.formulation == "original")

    def rest(self, name: str) -> float:
        return 0.0 if self.formulation == "original" and name == "guidance_scale" else super().rest(name)

    def describe(self) -> str:
        pulled = f", contrast pulled back by {self.rescale:g} in {self.rescale_space}" if self.rescale else ""
        if self.formulation == "original":
            return f"g = c + {self.guidance_scale:g}*(c - u){pulled}"
        return f"g = u + {self.guidance_scale:g}*(c - u){pulled}"

    def active_needs(self) -> tuple[str, ...]:
        return ("cond",) if self.scale == 1 else self.needs

    def combine(self, preds: Preds, step: StepCtx, state: State) -> tuple[Tensor, State]:
        c = preds.cond.x0
        if self.scale == 1:
            return c, state
        u = preds.uncond.x0
        g = u + self.scale * (c - u)
        if self.rescale > 0:
            g = self._rescaled(g, preds)
        return g, state

    def _rescaled(self, g: Tensor, preds: Preds) -> Tensor:
        cond = preds.cond
        if self.rescale_space == "x0":
            return rescale(g, cond.x0, self.rescale)
        if cond.at.s == 0:  # at the data there is no raw output to speak of, nor anything left to guide
            return g
        raw = rescale(cond.raw_of(g), cond.raw, self.rescale)
        return to_x0(cond.kind, raw, cond.x, cond.at.a, cond.at.s)
