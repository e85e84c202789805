"""Inner products, lengths and spreads of predictions, per sample over all other dimensions.

Tensors are [B, ...]; results are [B, 1, ...] and broadcast back, where not said. Sums are float64 where the device
has it: a latent has 1e3 to 1e6 elements, and a projection is a small difference of large sums.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Below this squared length a vector has no direction to project on.
TINY = 1e-12


def dot(p: Tensor, q: Tensor) -> Tensor:
    """Give <p, q>, in float64 (float32 on mps)."""
    p, q = wide(p), wide(q)
    return (p * q).flatten(1).sum(1).reshape(-1, *[1] * (p.ndim - 1))


def norm(p: Tensor) -> Tensor:
    """Give |p|."""
    return dot(p, p).sqrt()


def project(p: Tensor, onto: Tensor) -> Tensor:
    """Give the part of p parallel to `onto`, of p's dtype; 0 where `onto` is 0."""
    factor = dot(p, onto) / dot(onto, onto).clamp(min=TINY)
    return (factor * wide(onto)).to(p.dtype)


def std(p: Tensor) -> Tensor:
    """Give the standard deviation of each sample's elements (with Bessel's correction, as torch)."""
    return wide(p).flatten(1).std(1).reshape(-1, *[1] * (p.ndim - 1))


def ratio(p: Tensor, q: Tensor) -> Tensor:
    """Give |p|/|q| as a plain number per sample, [B]; 0 where q is 0."""
    below = norm(q)
    return torch.where(below > 0, norm(p) / below.clamp(min=1e-30), torch.zeros_like(below)).flatten()


def cosine(p: Tensor, q: Tensor) -> Tensor:
    """Give the cosine of the angle between them per sample, [B]; 0 where either is 0."""
    below = norm(p) * norm(q)
    return torch.where(below > 0, dot(p, q) / below.clamp(min=1e-30), torch.zeros_like(below)).flatten()


def wide(p: Tensor) -> Tensor:
    """Give the tensor in float64 (float32 on mps)."""
    return p.to(torch.float32 if p.device.type == "mps" else torch.float64)
