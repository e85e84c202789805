"""Perp-Neg: of each negative prompt only what is orthogonal to the prompt is taken away.

With u the prediction for the empty prompt, c for the prompt, n_k for the negatives, D = c - u, E_k = n_k - u:

    perp(E) = E - <E,D>/<D,D> * D
    g       = u + w*(D - sum_k a_k*perp(E_k))

A negative that overlaps the prompt cannot cancel it. With Gram-Schmidt each perp(E_k) also leaves out what those before
it have taken away, so that two negatives of one meaning count once. The same on x0, eps, v or u.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from studio.core.params import param
from studio.guidance.base import GUIDANCE, OneRound, Quantity, State, StepCtx
from studio.guidance.prediction import Pred, Preds
from studio.guidance.vectors import cosine, project, ratio


@GUIDANCE.register("perp_neg")
class PerpNeg(OneRound):
    """Several weighted negative prompts that cannot fight the prompt.

    The weights of the recipe's negatives are shares; `negative_scale` is the a_k of each where they are equal, and a_k
    is 0 outside a negative's window. Known failures: a large total weight leaves the data; where c and u nearly agree
    the split is noise. Costs 2 NFE a step and 1 per negative prompt that acts. Without negatives it is classifier-free
    guidance.
    """

    source: ClassVar[str] = "arXiv:2304.04968"
    label: ClassVar[str] = "Perp-Neg"
    neutral: ClassVar[dict[str, float]] = {"guidance_scale": 1.0, "negative_scale": 0.0}
    native_space: ClassVar = "any"
    needs: ClassVar[tuple[str, ...]] = ("cond", "empty", "negatives")
    diagnostics: ClassVar[Mapping[str, Quantity]] = {
        "overlap": Quantity("Cosine between negatives and prompt, weighted mean"),
        "perpendicular": Quantity("Share of the negatives that is orthogonal, weighted mean"),
    }

    guidance_scale: float = param(3.0, low=1, high=30, step=0.1, help="1 follows the prompt as learned, more insists")
    negative_scale: float = param(1.0, low=0, high=4, step=0.05, help="how strongly a negative prompt is left out")
    gram_schmidt: bool = param(False, help="count what several negative prompts share only once")

    def describe(self) -> str:
        once = ", shared parts once" if self.gram_schmidt else ""
        return f"g = u + {self.guidance_scale:g}*(c - u - {self.negative_scale:g}*sum perp(n_k - u)){once}"

    def active_needs(self) -> tuple[str, ...]:
        if self.negative_scale == 0:
            return ("cond",) if self.guidance_scale == 1 else ("cond", "empty")
        return self.needs

    def nfe(self) -> int:
        return len(self.active_needs())

    def combine(self, preds: Preds, step: StepCtx, state: State) -> tuple[Tensor, State]:
        c = preds.cond.x0  # [B, C, H, W]
        if "empty" not in preds:
            return c, state
        u = preds.empty.x0
        away = torch.zeros_like(c)
        earlier: list[Tensor] = []
        for weight, negative in self._negatives(preds, step):
            perp = _across(negative.x0 - u, [c - u, *earlier])
            away = away + self.negative_scale * weight * perp
            if self.gram_schmidt:
                earlier.append(perp)
        return u + self.guidance_scale * (c - u - away), state

    def observe(self, preds: Preds, step: StepCtx, state: State) -> dict[str, Tensor]:
        negatives = self._negatives(preds, step)
        if not negatives:
            return {}
        u, total = preds.empty.x0, sum(weight for weight, _ in negatives)
        d = preds.cond.x0 - u
        parts = [(weight / total, negative.x0 - u) for weight, negative in negatives]
        return {
            "overlap": torch.stack([weight * cosine(e, d) for weight, e in parts]).sum(0),
            "perpendicular": torch.stack([weight * ratio(_across(e, [d]), e) for weight, e in parts]).sum(0),
        }

    def _negatives(self, preds: Preds, step: StepCtx) -> list[tuple[float, Pred]]:
        """The negatives that act, each with its share times the number of all: 1 where all count alike."""
        shares = step.negative_weights or (1 / max(1, step.negatives),) * step.negatives
        weighted = [(shares[k], f"neg/{k}") for k in step.acting]
        return [(share * step.negatives, preds[name]) for share, name in weighted if name in preds]


def _across(e: Tensor, basis: list[Tensor]) -> Tensor:
    """The part of e orthogonal to all of `basis`, which are orthogonal to each other."""
    for direction in basis:
        e = e - project(e, onto=direction)
    return e
