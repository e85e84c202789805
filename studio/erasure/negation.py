"""Task-vector negation, a baseline: learn to draw the concept better, and apply the opposite.

    L = || eps(-1; x, c) - e ||²        x = a x0 + b e,  x0 a picture of the concept

The ordinary loss of diffusion, with the factors at strength -1 while they learn: so +1, which is the opposite of what
was learned, erases, as with every other erasure. Nothing says where the opposite leads to; quality suffers at large
strengths, and so does what is related.

Source: Editing Models with Task Arithmetic, arXiv:2212.04089, section 3, on low-rank factors in place of all weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from studio.core.params import Params
from studio.diffusion.predictions import Need, Prediction
from studio.erasure.columns import CONCEPT


class Negation(Params):
    """What at -1 draws the concept better."""

    @property
    def needs(self) -> Sequence[Need]:
        """The student at strength -1 under the concept, and the noise on the picture."""
        return Need("learning", "student", CONCEPT, strength=-1.0), Need("noise", "truth", CONCEPT)

    def terms(self, predictions: Mapping[str, Prediction]) -> Mapping[str, Tensor]:
        """denoising: mean square over rows and elements."""
        return {"denoising": (predictions["learning"].eps - predictions["noise"].eps).square().mean()}
