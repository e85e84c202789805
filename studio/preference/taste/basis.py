"""Features made ready to learn from: standardised, and turned to their main directions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

COMPONENTS = 64
_FLAT = 1e-9  # relative spread below which a feature says nothing


@dataclass(frozen=True, eq=False)
class Basis:
    """From features [N, F] to coordinates [N, k], float64.

    mean, scale: [F] of the features it was fitted on.
    directions: [F, k] principal ones, most variance first.
    """

    mean: Tensor
    scale: Tensor
    directions: Tensor

    @classmethod
    def fit(cls, features: Tensor, components: int = COMPONENTS) -> Basis:
        """Standardise each feature, and take the main directions, at most `components`.

        Together the coordinates have a variance of 1 each on the mean, so that one ridge suits any number of features.
        features: [N, F] of at least 2 pictures, whichever there are: labelled or not. Raises ValueError for fewer, and
        for values that are not numbers.
        """
        table = features.double()
        if table.dim() != 2 or len(table) < 2 or not bool(torch.isfinite(table).all()):
            raise ValueError(f"features are finite and [N, F] of two pictures or more, not {tuple(features.shape)}")
        mean, scale = table.mean(0), table.std(0, correction=0)
        says_nothing = scale <= _FLAT * table.abs().amax(0).clamp_min(1e-300)
        scale = torch.where(says_nothing, torch.inf, scale)
        _, spreads, directions = torch.linalg.svd((table - mean) / scale, full_matrices=False)
        dimensions = min(components, int((spreads > 1e-9 * spreads.amax().clamp_min(1e-300)).sum()))
        variance = float((spreads[:dimensions].square() / len(table)).mean()) if dimensions else 1.0
        return cls(mean, scale, directions[:dimensions].T / variance**0.5)

    def __call__(self, features: Tensor) -> Tensor:
        """Coordinates of features [N, F], differentiable. Raises ValueError for another F."""
        if features.dim() != 2 or features.shape[1] != len(self.mean):
            raise ValueError(f"features are [N, {len(self.mean)}], not {tuple(features.shape)}")
        return (features.double() - self.mean) / self.scale @ self.directions
