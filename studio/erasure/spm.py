"""SPM: an erasure that is anchored to the base everywhere but at its concept, by encodings drawn at random.

    erasure     || eps(x, c) - sg[ eps0(x, n) - gamma (eps0(x, c) - eps0(x, n)) ] ||²
    anchoring   kappa mean_k || eps(x, c~_k) - eps0(x, c~_k) ||²

with n what is neutral: no prompt, or the substitute's. The anchors c~_k are not texts: they are drawn in the space of
text encodings, with about the norm of the concept's and the likelier the less they point its way, anew at every step
(training/lora/anchors.py). The paper's factors have rank 1; its strength by prompt is a gate
(engine/edits/transport.py).

Source: One-dimensional Adapter to Rule Them All, arXiv:2312.16145, sections 3.2 and 3.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from torch import Tensor

from studio.core.params import Params, param
from studio.diffusion.predictions import UNCONDITIONAL, Need, Prediction
from studio.erasure.columns import CONCEPT, SUBSTITUTE


class SPM(Params):
    """Erase, and stay the base under encodings that are not the concept's.

    neutral: where negative guidance starts.
    """

    gamma: float = param(1.0, low=0, high=10, help="strength of the negative guidance")
    kappa: float = param(1000.0, low=0, high=1e5, help="weight of the anchors")
    anchors: int = param(4, low=1, high=16, help="how many are drawn for each row")
    neutral: Literal["nothing", "substitute"] = "nothing"

    @property
    def needs(self) -> Sequence[Need]:
        """Student and base under the concept and under each anchor; the base under what is neutral."""
        neutral = SUBSTITUTE if self.neutral == "substitute" else UNCONDITIONAL
        anchors = range(1, self.anchors + 1)
        return (
            Need("learning", "student", CONCEPT),
            Need("concept", "frozen", CONCEPT),
            Need("neutral", "frozen", neutral),
            *(Need(f"anchor {number}", "student", CONCEPT, anchor=number) for number in anchors),
            *(Need(f"anchored {number}", "frozen", CONCEPT, anchor=number) for number in anchors),
        )

    def terms(self, predictions: Mapping[str, Prediction]) -> Mapping[str, Tensor]:
        """erasure, anchoring: mean squares over rows and elements, the latter over anchors as well."""
        neutral = predictions["neutral"].eps.detach()
        target = neutral - self.gamma * (predictions["concept"].eps.detach() - neutral)
        gaps = [
            predictions[f"anchor {number}"].eps - predictions[f"anchored {number}"].eps.detach()
            for number in range(1, self.anchors + 1)
        ]
        anchoring = sum((gap.square().mean() for gap in gaps), start=neutral.new_zeros(())) / self.anchors
        return {
            "erasure": (predictions["learning"].eps - target).square().mean(),
            "anchoring": self.kappa * anchoring,
        }
