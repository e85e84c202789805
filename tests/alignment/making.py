"""Predictions of pairs and lists whose errors are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from studio.alignment.errors import PairObjective
from studio.diffusion.parameterisation import Parameterisation
from studio.diffusion.predictions import Prediction

ROWS, SHAPE = 3, (4, 4, 4)
A, S = torch.tensor([0.9, 0.6, 0.2]).view(-1, 1, 1, 1), torch.tensor([0.436, 0.8, 0.98]).view(-1, 1, 1, 1)
Errors = Mapping[str, tuple[Sequence[float] | Tensor, Sequence[float] | Tensor]]  # side -> the student's, the base's


def predictions(objective: PairObjective, errors: Errors, kind: Parameterisation = "epsilon") -> dict[str, Prediction]:
    """Such that the mean squared errors in the network's own space are these."""
    random = torch.Generator().manual_seed(5)
    noise = torch.randn((ROWS, *SHAPE), generator=random, dtype=torch.float64)
    made: dict[str, Prediction] = {}
    for side, of_side in errors.items():
        x0 = torch.randn((ROWS, *SHAPE), generator=random, dtype=torch.float64)
        direction = torch.randn((ROWS, *SHAPE), generator=random, dtype=torch.float64)
        direction = direction / direction.square().flatten(1).mean(1).sqrt().view(-1, 1, 1, 1)
        a, s = A.double(), S.double()
        x = a * x0 + s * noise
        target = {"epsilon": noise, "v_prediction": a * noise - s * x0, "flow": noise - x0, "sample": x0}[kind]
        made[f"{side}/truth"] = Prediction("epsilon", noise, x, a, s)
        for who, size in zip(("student", "frozen"), of_side, strict=True):
            gap = torch.as_tensor(size, dtype=torch.float64).expand(ROWS).sqrt().view(-1, 1, 1, 1) * direction
            made[f"{side}/{who}"] = Prediction(kind, target + gap, x, a, s)
    return {need.name: made[need.name] for need in objective.needs}


def numbers(objective: PairObjective, **given: Sequence[float]) -> dict[str, Tensor]:
    """Of every row, as its plan says or as they are where it says nothing."""
    return {
        name: torch.as_tensor(given.get(name, [default] * ROWS), dtype=torch.float64)
        for name, default in objective.numbers.items()
    }


def total(
    objective: PairObjective, errors: Errors, kind: Parameterisation = "epsilon", **given: Sequence[float]
) -> float:
    """The sum of its terms."""
    terms = objective.terms(predictions(objective, errors, kind), numbers(objective, **given))
    return float(torch.stack([*terms.values()]).sum())
