"""Distributions whose diffusion is known exactly: what every solver and guidance method is measured against.

All arithmetic in float64 on states [B, D] or [B, C, H, W]; x = a*x0 + s*eps, large t is noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """p(x0) = sum_k weights[k] N(means[k], stds[k]² I). means: [K, ...], the sample's shape after K.

    labels[k] says which class component k belongs to: conditioning on a class keeps its components.
    """

    means: Tensor
    stds: Tensor
    weights: Tensor
    labels: tuple[int, ...]

    def given(self, label: int) -> GaussianMixture:
        """The conditional distribution p(x0 | label), again a mixture."""
        kept = torch.tensor([k for k, own in enumerate(self.labels) if own == label])
        weights = self.weights[kept]
        return GaussianMixture(self.means[kept], self.stds[kept], weights / weights.sum(), (label,) * len(kept))

    def log_prob(self, x: Tensor, a: float, s: float) -> Tensor:
        """log p_t(x), [B]: each component has become N(a mean, (a² std² + s²) I)."""
        return self._log_joint(x, a, s).logsumexp(1)

    def x0(self, x: Tensor, a: float, s: float) -> Tensor:
        """The exact denoiser E[x0 | x]: a posterior mean per component, weighted by how likely each made x."""
        share = self._log_joint(x, a, s).softmax(1)  # [B, K]
        variance = a * a * self.stds**2 + s * s  # [K]
        gain = self._to_state(a * self.stds**2 / variance)
        each = self.means + gain * (x[:, None] - a * self.means)  # [B, K, ...]
        return (self._to_state(share) * each).sum(1)

    def score(self, x: Tensor, a: float, s: float) -> Tensor:
        """The gradient of log p_t, by Tweedie's formula; s > 0."""
        return -(x - a * self.x0(x, a, s)) / s**2

    def sample(self, count: int, seed: int) -> Tensor:
        """Draw x0, [count, ...]."""
        generator = torch.Generator().manual_seed(seed)
        k = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        noise = torch.randn(count, *self.means.shape[1:], dtype=torch.float64, generator=generator)
        return self.means[k] + self.stds[k].reshape(-1, *[1] * (self.means.ndim - 1)) * noise

    def _log_joint(self, x: Tensor, a: float, s: float) -> Tensor:
        """log weights[k] + log N(x; a means[k], ...), [B, K]."""
        variance = a * a * self.stds**2 + s * s
        distance = (x[:, None] - a * self.means).flatten(2).square().sum(2)
        size = x[0].numel()
        return self.weights.log() - 0.5 * (distance / variance + size * (2 * math.pi * variance).log())

    def _to_state(self, per_component: Tensor) -> Tensor:
        return per_component.reshape(*per_component.shape, *[1] * (self.means.ndim - 1))


def latent_mixture(spread: float = 1.0) -> GaussianMixture:
    """Four components of two classes, as latents [4, 4, 4]. spread: of the means; at 0.1 the classes overlap."""
    generator = torch.Generator().manual_seed(0)
    means = spread * torch.randn(4, 4, 4, 4, dtype=torch.float64, generator=generator)
    return GaussianMixture(
        means,
        torch.tensor([0.3, 0.5, 0.4, 0.2], dtype=torch.float64),
        torch.tensor([0.4, 0.1, 0.2, 0.3], dtype=torch.float64),
        (0, 0, 1, 1),
    )


@dataclass(frozen=True)
class Gaussian:
    """One Gaussian N(mean, std² I): its probability-flow ODE is solved in closed form."""

    mean: float
    std: float

    def x0(self, x: Tensor, a: float, s: float) -> Tensor:
        """The exact denoiser."""
        return self.mean + a * self.std**2 / self._variance(a, s) * (x - a * self.mean)

    def flow(self, x: Tensor, start: tuple[float, float], end: tuple[float, float]) -> Tensor:
        """Carry x along the ODE from noise level (a, s) `start` to `end`: distances in standard deviations stay."""
        shrink = math.sqrt(self._variance(*end) / self._variance(*start))
        return end[0] * self.mean + shrink * (x - start[0] * self.mean)

    def _variance(self, a: float, s: float) -> float:
        return a * a * self.std**2 + s * s
