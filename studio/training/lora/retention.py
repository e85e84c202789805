"""What must stay: three ways to hold an edit that learns to the base, around any loss.

L: the loss. R: how far the student's predictions for the retained prompts are from the base's.

    distil   descend L + w R; R the mean square of the gap (AdvUnlearn, arXiv:2405.15234, as a regulariser)
    pcgrad   where the gradients of L and R disagree, L's loses its part along R's (PCGrad, arXiv:2001.06782,
             algorithm 1, on the forgetting side alone); descend the rest + w grad R
    dual     descend L + mu (R - budget), mu <- max(0, mu + eta (R - budget)) (arXiv:2506.05314); R in nats
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from studio.diffusion.predictions import Prediction
from studio.metrics.divergence import nats
from studio.training.lora.plan import Retention

DUAL_RATE = 0.1  # of the multiplier, for a constraint that is off by its whole budget
FIRST_MULTIPLIER = 1.0


def drift(student: Prediction, frozen: Prediction, widths: Tensor) -> Tensor:
    """KL of the base's pictures from the student's, in nats for each picture: 1/2 ∫ ||eps - eps'||² d log-SNR.

    widths: [B], what of the integral each row stands for. A single number, estimated from the batch.
    Source: studio/metrics/divergence.py.
    """
    return nats(student.eps, frozen.eps, widths).mean()


def distillation(student: Prediction, frozen: Prediction) -> Tensor:
    """Mean square of the gap between what both predict."""
    return (student.eps - frozen.eps).square().mean()


def without_conflict(forget: Sequence[Tensor], retain: Sequence[Tensor]) -> list[Tensor]:
    """The gradient `forget` without what of it would undo `retain`: itself where the two agree.

    All tensors together count as one vector. arXiv:2001.06782, algorithm 1, line 7.
    """
    along, length = _dot(forget, retain), _dot(retain, retain)
    if along >= 0 or length == 0:
        return list(forget)
    return [f - along / length * r for f, r in zip(forget, retain, strict=True)]


def next_multiplier(multiplier: float, value: float, budget: float) -> float:
    """One step of dual ascent: up while the constraint is violated, down while there is room, never below 0."""
    return max(0.0, multiplier + DUAL_RATE / budget * (value - budget))


class Retainer:
    """A plan's retention while it runs. multiplier: of "dual". value: of the last step."""

    def __init__(self, plan: Retention) -> None:
        self.plan = plan
        self.multiplier = FIRST_MULTIPLIER
        self.value = 0.0
        self._retain: list[Tensor] = []
        self._before: list[Tensor] = []

    def term(self, student: Prediction, frozen: Prediction, widths: Tensor) -> Tensor:
        """R of a batch, a single number."""
        return drift(student, frozen, widths) if self.plan.how == "dual" else distillation(student, frozen)

    def gradients(self, loss: Tensor, term: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
        """What to descend along."""
        self.value = float(term.detach())
        if self.plan.how == "dual":
            return list(
                torch.autograd.grad(
                    loss + self.multiplier * (term - self.plan.budget), parameters, materialize_grads=True
                )
            )
        if self.plan.how == "distil":
            return list(torch.autograd.grad(loss + self.plan.weight * term, parameters, materialize_grads=True))
        forget = torch.autograd.grad(loss, parameters, retain_graph=True, materialize_grads=True)
        self._retain = list(torch.autograd.grad(term, parameters, materialize_grads=True))
        self._before = [parameter.detach().clone() for parameter in parameters]
        harmless = without_conflict(forget, self._retain)
        return [f + self.plan.weight * r for f, r in zip(harmless, self._retain, strict=True)]

    @torch.no_grad()
    def settle(self, parameters: Sequence[Tensor]) -> None:
        """After the optimiser's step.

        Momentum and Adam's scaling turn a step away from the gradient it was given: of "pcgrad" what of the step itself
        would raise R, to first order, is taken back.
        """
        if self.plan.how == "dual":
            self.multiplier = next_multiplier(self.multiplier, self.value, self.plan.budget)
        if not self._retain:
            return
        step = [end - start for end, start in zip(parameters, self._before, strict=True)]
        harmless = without_conflict([-part for part in step], self._retain)  # downhill is against the gradient
        for parameter, start, part in zip(parameters, self._before, harmless, strict=True):
            parameter.copy_(start - part)
        self._retain, self._before = [], []

    def measures(self) -> dict[str, float]:
        """What the curves show of it."""
        return {"retention": self.value, **({"multiplier": self.multiplier} if self.plan.how == "dual" else {})}


def _dot(left: Sequence[Tensor], right: Sequence[Tensor]) -> float:
    """In float64: over many small numbers float32 would lose the sign of a near zero."""
    return float(sum((x.double() * y.double()).sum() for x, y in zip(left, right, strict=True)))
