"""Learning: the most likely parameters by L-BFGS, and how sure they are by Laplace's approximation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from studio.preference.taste.answers import Answers
from studio.preference.taste.objective import SIDE_RIDGE, Layout, Settings, objective

ITERATIONS, GRADIENT_TOLERANCE = 200, 1e-6
HESSIAN_CHUNK = 64  # rows of the Hessian at once, which bounds memory


def fit(
    features: Tensor,
    answers: Answers,
    settings: Settings,
    *,
    start: Tensor | None = None,
    tie: float | None = None,
    tolerance: float = GRADIENT_TOLERANCE,
) -> Tensor:
    """The most likely parameters, a vector as Layout reads it.

    features: [N, k] float64, standardised. start: a vector to begin from, which saves steps and changes nothing else.
    tie: the tie parameter to begin with, and to stay at where it is not learned; None for the usual one.
    tolerance: the largest slope that is left.
    """
    layout = layout_of(features, answers)
    vector = layout.start(settings, tie) if start is None else start.clone()

    def loss(values: Tensor) -> Tensor:
        return objective(values, layout, features, answers, settings)

    vector = _minimise(loss, vector, layout.convex, tolerance)
    if (settings.learn_tie and settings.ties != "none") or settings.reliability:
        vector = _minimise(loss, vector, layout.size, tolerance)
    return vector


def layout_of(features: Tensor, answers: Answers) -> Layout:
    """Of the parameters for such answers."""
    return Layout(max(1, len(answers.annotators)), features.shape[1])


def covariance(features: Tensor, answers: Answers, settings: Settings, vector: Tensor) -> Tensor:
    """Of the convex parameters around the most likely ones, [convex, convex]: the inverse Hessian there.

    The tie parameter and reliabilities are taken as known. Source: MacKay, Neural Comput. 4 (1992), section 4.
    """
    layout = layout_of(features, answers)
    last = vector[layout.convex :]

    def loss(values: Tensor) -> Tensor:
        return objective(torch.cat([values, last]), layout, features, answers, settings)

    hessian = torch.func.jacrev(torch.func.grad(loss), chunk_size=HESSIAN_CHUNK)(vector[: layout.convex])
    symmetric = (hessian + hessian.T) / 2
    if settings.reliability:  # not convex: no direction is known less well than by the least ridge
        values, directions = torch.linalg.eigh(symmetric)
        return directions @ torch.diag(1 / values.clamp_min(SIDE_RIDGE)) @ directions.T
    return torch.cholesky_inverse(torch.linalg.cholesky(symmetric))


def _minimise(loss: Callable[[Tensor], Tensor], start: Tensor, count: int, tolerance: float) -> Tensor:
    """The first `count` values moved to where the loss is least, the rest as they were."""
    free, fixed = start[:count].clone().requires_grad_(), start[count:]
    optimiser = torch.optim.LBFGS(
        [free],
        max_iter=ITERATIONS,
        tolerance_grad=tolerance,
        tolerance_change=1e-10,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def closure() -> float:
        optimiser.zero_grad()
        value = loss(torch.cat([free, fixed]))
        value.backward()
        return float(value.detach())

    optimiser.step(closure)
    return torch.cat([free.detach(), fixed])
