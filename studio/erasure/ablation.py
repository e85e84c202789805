"""Concept Ablation: the concept's prompt is taught to give what the substitute's prompt gives.

    L = || eps(x, c) - sg eps0(x, c*) ||²

with c the concept's prompt, c* the same with the substitute, eps0 the base. Source: Ablating Concepts in Text-to-Image
Diffusion Models, arXiv:2303.13516, equation 4, the model-based variant. Its teacher is the network that learns, without
gradient; here it is the frozen base, so that the target stays where it is. What else must stay is the trainer's to
hold (training/lora/retention.py), where the paper draws its anchor's own pictures besides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from studio.core.params import Params
from studio.diffusion.predictions import Need, Prediction
from studio.erasure.columns import CONCEPT, SUBSTITUTE


class ConceptAblation(Params):
    """Towards a substitute, which may be an empty scene."""

    @property
    def needs(self) -> Sequence[Need]:
        """The student under the concept, the base under its substitute, at one state."""
        return Need("concept", "student", CONCEPT), Need("target", "frozen", SUBSTITUTE)

    def terms(self, predictions: Mapping[str, Prediction]) -> Mapping[str, Tensor]:
        """ablation: mean square over rows and elements; 0 where the two agree."""
        gap = predictions["concept"].eps - predictions["target"].eps.detach()
        return {"ablation": gap.square().mean()}
