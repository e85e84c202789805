"""A Laplacian pyramid that takes every size and gives back exactly what went in.

down: blur by [1, 4, 6, 4, 1]/16 along both sides, mirrored at the border, then every second element. up: straight
interpolation to the finer size. Each band is what `up` of the next coarser picture misses; the last is that picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

MIN_SIDE = 4  # below, mirroring by two elements has nothing to mirror, and a band nothing to say


def split(x: Tensor, levels: int) -> list[Tensor]:
    """Give the bands of x, [B, C, H, W] in float32 or float64, finest first; fewer than `levels` where x is small."""
    bands: list[Tensor] = []
    while len(bands) < levels - 1 and min(x.shape[-2:]) >= MIN_SIDE:
        coarse = _down(x)
        bands.append(x - _up(coarse, x))
        x = coarse
    return [*bands, x]


def join(bands: Sequence[Tensor]) -> Tensor:
    """Put bands together again, [B, C, H, W]."""
    x = bands[-1]
    for band in reversed(bands[:-1]):
        x = band + _up(x, band)
    return x


def _down(x: Tensor) -> Tensor:
    taps = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], dtype=x.dtype, device=x.device) / 16
    b, c, h, w = x.shape
    mirrored = pad(x, (2, 2, 2, 2), mode="reflect").reshape(b * c, 1, h + 4, w + 4)
    rows = conv2d(mirrored, taps.reshape(1, 1, 5, 1))
    blurred = conv2d(rows, taps.reshape(1, 1, 1, 5)).reshape(b, c, h, w)
    return blurred[..., ::2, ::2]


def _up(x: Tensor, like: Tensor) -> Tensor:
    return interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
