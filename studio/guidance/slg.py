"""Skip-layer guidance: away from what the network predicts with some of its transformer blocks left out.

With c, u the conditional and unconditional predictions, d the conditional one with the chosen blocks giving their
input, w the scale of classifier-free guidance, s the method's, at step i of N:

    g = [u + w*(c - u)] + s*(c - d)      while start*N < i < stop*N, both strict

As in Stability's own code for SD 3.5, whose medium model skips blocks 7, 8 and 9; the same for video: arXiv:2411.18664.
"""

from __future__ import annotations

from typing import ClassVar

from studio.core.params import param
from studio.guidance.base import GUIDANCE, NoisePoint, Request
from studio.guidance.degraded import DegradedGuidance
from studio.guidance.perturbation import Perturbation, layers_of


@GUIDANCE.register("slg")
class SkipLayerGuidance(DegradedGuidance):
    """Push away, in early steps, from a prediction with transformer blocks left out.

    Known failure: contrast is overdone if it goes on beyond the early steps. Costs 2 NFE in those, 3 with
    classifier-free guidance, and 1 less in the others.
    """

    label: ClassVar[str] = "Skip layer (SLG)"
    source: ClassVar[str] = "arXiv:2411.18664"
    neutral: ClassVar[dict[str, float]] = {"guidance_scale": 1.0, "slg_scale": 0.0}
    native_space: ClassVar = "any"

    slg_scale: float = param(2.8, low=0, high=10, step=0.1, label="SLG scale", help="0 is off")
    start: float = param(0.01, low=0, high=1, step=0.01, help="share of the steps after which it begins")
    stop: float = param(0.2, low=0, high=1, step=0.01, help="share of the steps before which it ends")
    layers: str = param("", help="paths of layers, with commas between; empty is the model's own choice")

    def degraded(self) -> Request:
        return Request("degraded", "pos", perturb=Perturbation("skip", layers_of(self.layers)))

    def most(self) -> float:
        return self.slg_scale if self.start < self.stop else 0.0

    def strength(self, i: int, n: int, at: NoisePoint) -> float:
        return self.slg_scale if self.start * n < i < self.stop * n else 0.0
