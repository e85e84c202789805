"""Visual sliders: what two sets of pictures differ in, as an edit of which +1 is one side and -1 the other.

    after    || eps(+s; a x_after  + b e, c) - e ||²
    before   || eps(-s; a x_before + b e, c) - e ||²

with one noise e and one time for both pictures of a pair, and eps(s; ...) the student whose factors act at strength s.
What the two sides share pulls the factors both ways, and cancels to first order; equal pictures teach nothing at all.

Source: Concept Sliders, arXiv:2311.12092, equation 8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from studio.core.params import Params, param
from studio.diffusion.predictions import STATE, Need, Prediction
from studio.erasure.columns import TARGET

AFTER = "after"  # the state beside that of the pictures before


class PictureSlider(Params):
    """Towards the pictures after at +, towards those before at -."""

    reach: float = param(1.0, low=0.05, high=10, help="the strength at which a picture is that of the pair")

    @property
    def needs(self) -> Sequence[Need]:
        """The student at either side's state and strength; the noise, which both states have in common."""
        return (
            Need("after", "student", TARGET, AFTER, strength=self.reach),
            Need("before", "student", TARGET, STATE, strength=-self.reach),
            Need("noise", "truth", TARGET),
        )

    def terms(self, predictions: Mapping[str, Prediction]) -> Mapping[str, Tensor]:
        """after, before: mean squares over rows and elements."""
        noise = predictions["noise"].eps
        return {side: (predictions[side].eps - noise).square().mean() for side in ("after", "before")}
