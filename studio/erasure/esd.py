"""ESD: the concept's prompt is taught to give what the base gives under negative guidance by the concept.

    first code      || eps(x, c) - [ eps0(x, "") - eta (eps0(x, c) - eps0(x, "")) ] ||²
    erase from c'   || eps(x, c') - [ eps0(x, c') - eta (eps0(x, c) - eps0(x, "")) ] ||²

The second, of the newer code, takes an attribute c from a carrier c'. With c' = c and eta = 2 it is the first with eta
= 1. Which layers learn is the plan's: cross-attention (ESD-x), its keys and values (x-strict), or all else (ESD-u).

Source: Erasing Concepts from Diffusion Models, arXiv:2303.07345, equation 7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from studio.core.params import Params, param
from studio.diffusion.predictions import UNCONDITIONAL, Need, Prediction
from studio.erasure.columns import CARRIER, CONCEPT

_CONCEPT, _NULL = Need("concept", "frozen", CONCEPT), Need("null", "frozen", UNCONDITIONAL)


class ESD(Params):
    """Away from a concept, as its own negative prompt would go.

    from_carrier: take it from the carrier's prompt; else from its own.
    """

    eta: float = param(1.0, low=0, high=10, help="strength of the negative guidance")
    from_carrier: bool = False

    @property
    def needs(self) -> Sequence[Need]:
        """The base with the concept and without a prompt; the student, and the base, where it is taken from."""
        if self.from_carrier:
            return Need("learning", "student", CARRIER), Need("carrier", "frozen", CARRIER), _CONCEPT, _NULL
        return Need("learning", "student", CONCEPT), _CONCEPT, _NULL

    def terms(self, predictions: Mapping[str, Prediction]) -> Mapping[str, Tensor]:
        """erasure: mean square over rows and elements."""
        null = predictions["null"].eps.detach()
        start = predictions["carrier"].eps.detach() if self.from_carrier else null
        target = start - self.eta * (predictions["concept"].eps.detach() - null)
        return {"erasure": (predictions["learning"].eps - target).square().mean()}
