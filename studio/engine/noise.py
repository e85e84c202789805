"""The noise an image starts from and is stirred with: every image has a generator of its own.

Generators live on the CPU and are seeded with the recipe's seed; noise is drawn alone as [1, C, h, w] in float32. So
seed 7 is the same picture alone or in a batch, on any device, and in a plain diffusers pipeline given
`generator=torch.Generator().manual_seed(7)`. torch takes all seeds of 0 .. 2**64-1, but its CPU generator (mt19937) is
seeded with the lower 32 bits alone: seeds equal modulo 2**32 give the same picture, here as in diffusers.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from studio.core.recipe import Recipe
from studio.models.bundle import ModelBundle

_PARALLEL = 0.9995  # cosine above which two noises are mixed linearly


class NoiseSource:
    """Draws an image's noise: first where it starts, then what stochastic samplers add."""

    def __init__(self, bundle: ModelBundle, recipe: Recipe) -> None:
        scale = bundle.latent_scale_px
        self._shape = (1, bundle.latent_channels, recipe.height // scale, recipe.width // scale)
        self._device = bundle.device
        self._recipe = recipe
        self._generator = torch.Generator(device="cpu").manual_seed(recipe.seed)

    def start(self) -> Tensor:
        """The noise to start from, [1, C, h, w]; drawn once, before any `more`.

        With a variation it lies on the arc towards the second seed's noise (spherical interpolation: both are normal,
        and so is what lies on the arc between them, where a straight line would be too quiet).
        """
        noise = self._draw(self._generator)
        strength, seed = self._recipe.variation_strength, self._recipe.variation_seed
        if seed is not None and strength > 0:
            noise = slerp(noise, self._draw(torch.Generator(device="cpu").manual_seed(seed)), strength)
        return noise.to(self._device)

    def more(self) -> Tensor:
        """Fresh noise for one step of a stochastic sampler, [1, C, h, w]."""
        return self._draw(self._generator).to(self._device)

    def _draw(self, generator: torch.Generator) -> Tensor:
        return torch.randn(self._shape, generator=generator, dtype=torch.float32)


def slerp(a: Tensor, b: Tensor, share: float) -> Tensor:
    """Go from a (share 0) to b (share 1) on the arc between them; a and b themselves at the ends. Any one shape."""
    if share in (0.0, 1.0):
        return a if share == 0 else b
    cosine = float((a.double() * b.double()).sum() / (a.double().norm() * b.double().norm()))
    if abs(cosine) > _PARALLEL:
        return torch.lerp(a, b, share)
    angle = math.acos(cosine)
    return (a * math.sin((1 - share) * angle) + b * math.sin(share * angle)) / math.sin(angle)
