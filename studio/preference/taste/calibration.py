"""Whether probabilities mean what they say, and how to set them right on answers that were not learned from."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from studio.preference.taste.likelihood import TieModel, outcome_loss

BINS = 10
_GRID = torch.linspace(-2.5, 2.5, 201, dtype=torch.float64).exp()  # 1/12 to 12, in steps of 2.5 %


class Bin(NamedTuple):
    """Predictions of about one probability: its mean, the share that came true, how many."""

    predicted: float
    came_true: float
    n: int


def temperature(margin: Tensor, outcome: Tensor, model: TieModel, tie: float) -> float:
    """What to divide margins by so that the answers are most likely; 1 where there is none.

    margin: [n] in logits; outcome: [n], 1, 0 or -1; ties count where the model has them.
    Source: Guo and others, arXiv:1706.04599, section 4.2.
    """
    margin, outcome = _counted(margin, outcome, model)
    if not len(margin):
        return 1.0
    losses = outcome_loss(margin / _GRID[:, None], outcome.expand(len(_GRID), -1), model, tie).sum(1)
    return float(_GRID[losses.argmin()]) if bool((losses < losses[len(_GRID) // 2]).any()) else 1.0


def tie_parameter(margin: Tensor, outcome: Tensor, model: TieModel, tie: float) -> float:
    """The tie parameter under which the answers are most likely, within 1/12 to 12 times the one at hand.

    Without ties among the answers, or with nothing else, it stays.
    """
    outcome = outcome.long()
    if model == "none" or not bool((outcome == 0).any()) or not bool((outcome != 0).any()):
        return tie
    losses = [float(outcome_loss(margin, outcome, model, tie * factor).sum()) for factor in _GRID.tolist()]
    return tie * float(_GRID[min(range(len(losses)), key=losses.__getitem__)])


def reliability(predicted: Tensor, came_true: Tensor, bins: int = BINS) -> list[Bin]:
    """Predictions in bins of equal numbers, from the least probable. predicted: [n] in 0..1; came_true: [n] 0 or 1."""
    order = predicted.argsort(stable=True)
    parts = [part for part in order.tensor_split(min(bins, max(1, len(order)))) if len(part)]
    return [Bin(float(predicted[part].mean()), float(came_true[part].double().mean()), len(part)) for part in parts]


def expected_error(predicted: Tensor, came_true: Tensor, bins: int = BINS) -> float:
    """ECE: how far shares are from predictions, on the mean over predictions; 0 of none."""
    total = max(1, len(predicted))
    return sum(
        part.n / total * abs(part.came_true - part.predicted) for part in reliability(predicted, came_true, bins)
    )


def brier(predicted: Tensor, came_true: Tensor) -> float:
    """Mean squared distance of predictions from what came true; nan of none. Source: Brier (1950), equation 2."""
    return float((predicted - came_true.double()).square().mean())


def _counted(margin: Tensor, outcome: Tensor, model: TieModel) -> tuple[Tensor, Tensor]:
    outcome = outcome.long()
    if model == "none":
        margin, outcome = margin[outcome != 0], outcome[outcome != 0]
    return margin.double(), outcome
