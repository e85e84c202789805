"""Reflections: move along one prediction, back along another, keep the displacement.

In flow coordinates, x = (1-s)*x0 + s*eps with velocity u = eps - x0, of any model (x_flow = x/(a+s), s_flow = s/(a+s)):

    forward first    y = x + d*fwd(x, at),   z = y - d*inv(y, at_y)
    inverse first    y = x - d*inv(x, at),   z = y + d*fwd(y, at_y)
    z - x = d*(fwd - inv) + O(d²)

With fwd conditional, inv unconditional and d < 0, towards the data, it goes the way guidance does at a constant noise
level. CFG-MP's two operators and Z-Sampling's zig-zag are this; `at_y` is `at` or the level that y lies on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping

import torch
from torch import Tensor

from studio.diffusion.parameterisation import at_least_float32
from studio.guidance.base import NoisePoint, Pred, Preds, Request

# Yields requests, is sent their answers, returns a tensor.
Asking = Generator[list[Request], Mapping[str, Pred], Tensor]
# The velocity at x [B, C, H, W] in flow coordinates and a noise level, of x's shape.
Field = Callable[[Tensor, NoisePoint], Asking]


def to_flow(x: Tensor, at: NoisePoint) -> Tensor:
    """Give x as fed to the network in flow coordinates, in float32 or better."""
    return at_least_float32(x) / (at.a + at.s)


def from_flow(x: Tensor, at: NoisePoint, dtype: torch.dtype) -> Tensor:
    """Give what to feed the network for x in flow coordinates."""
    return (x * (at.a + at.s)).to(dtype)


def guided_requests(scale: float, uncond: str, x: Tensor | None = None, at: NoisePoint | None = None) -> list[Request]:
    """Ask for what classifier-free guidance of this scale needs, as "cond" and "uncond"; at 0 and 1 only one."""
    requests = [] if scale == 0 else [Request("cond", "pos", x, at)]
    return requests if scale == 1 else [*requests, Request("uncond", uncond, x, at)]


def guided_x0(preds: Preds, scale: float) -> Tensor:
    """Give the guided data from the answers to `guided_requests` of the same scale."""
    if scale == 0 or scale == 1:
        return next(iter(preds.values())).x0
    return preds.uncond.x0 + scale * (preds.cond.x0 - preds.uncond.x0)


def guided_by(scale: float, uncond: str, dtype: torch.dtype) -> Field:
    """Give the field of classifier-free guidance, u + scale*(c - u). dtype: of what the network is fed."""

    def field(x: Tensor, at: NoisePoint) -> Asking:
        preds = Preds((yield guided_requests(scale, uncond, from_flow(x, at, dtype), at)))
        if scale == 0 or scale == 1:
            return next(iter(preds.values())).u
        return preds.uncond.u + scale * (preds.cond.u - preds.uncond.u)

    return field


def reflect(
    x: Tensor, d: float, at: NoisePoint, at_y: NoisePoint, forward: Field, inverse: Field, forward_first: bool
) -> Asking:
    """Give the displacement z - x, of x's shape. x: [B, C, H, W] in flow coordinates.

    d: difference of two s_flow, below 0 towards the data. at: the noise level of x. at_y: the level the second
    field is asked at. Two rounds.
    """
    # Both orders come to d*(fwd - inv). Written so: z is so near x that their difference would be mostly rounding.
    if forward_first:
        out = yield from forward(x, at)
        return d * (out - (yield from inverse(x + d * out, at_y)))
    back = yield from inverse(x, at)
    return d * ((yield from forward(x - d * back, at_y)) - back)
