"""All but One: only the guidance of the concept's prompt is edited, and the unconditional prediction is held.

With g(c) = eps(x, c) - eps(x, ""), eps0 and g0 of the base:

    L = || eps(x, c) - sg eps(x, "") - T ||² + mu || eps(x, "") - eps0(x, "") ||²

    T =  g0(c*)        towards a substitute
         0             towards nothing
        -eta g0(c)     away from the concept

Where L = 0, eps(x, "") + w g(c) = eps0(x, "") + w g0(c*) at every scale w: guidance means the same as before. Without
the stop-gradient the unconditional prediction is moved instead, which every prompt feels.

Source: All but One, arXiv:2312.12807, from its description: the weights of the paper's own loss are not published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from torch import Tensor

from studio.core.params import Params, param
from studio.diffusion.predictions import UNCONDITIONAL, Need, Prediction
from studio.erasure.columns import CONCEPT, SUBSTITUTE

_BASE = Need("base", "frozen", UNCONDITIONAL)
_CONCEPT, _NULL = Need("concept", "student", CONCEPT), Need("null", "student", UNCONDITIONAL)


class AllButOne(Params):
    """The guidance of one concept, and nothing else.

    towards: where its guidance goes.
    """

    towards: Literal["substitute", "nothing", "away"] = "substitute"
    eta: float = param(1.0, low=0, high=10, help="how far away, where it goes away")
    mu: float = param(1.0, low=0, high=100, help="weight of the unconditional prediction's drift")

    @property
    def needs(self) -> Sequence[Need]:
        """The student with the concept and without a prompt; the base without, and with what the target takes."""
        match self.towards:
            case "substitute":
                return _CONCEPT, _NULL, _BASE, Need("target", "frozen", SUBSTITUTE)
            case "away":
                return _CONCEPT, _NULL, _BASE, Need("target", "frozen", CONCEPT)
            case "nothing":
                return _CONCEPT, _NULL, _BASE

    def terms(self, predictions: Mapping[str, Prediction]) -> Mapping[str, Tensor]:
        """guidance: of the concept, against its target. unconditional: drift of the prediction without a prompt."""
        null, base = predictions["null"].eps, predictions["base"].eps.detach()
        gap = predictions["concept"].eps - null.detach() - self._target(predictions, base)
        return {"guidance": gap.square().mean(), "unconditional": self.mu * (null - base).square().mean()}

    def _target(self, predictions: Mapping[str, Prediction], base: Tensor) -> Tensor | float:
        if self.towards == "nothing":
            return 0.0
        guidance = predictions["target"].eps.detach() - base
        return guidance if self.towards == "substitute" else -self.eta * guidance
