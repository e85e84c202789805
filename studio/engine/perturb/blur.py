"""A Gaussian blur of tokens over their grid, of any size and width."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

# From here on a blur is the mean, as in the reference code of arXiv:2408.00760.
INFINITE = 9999.0


def blur(tokens: Tensor, size: tuple[int, int], sigma: float) -> Tensor:
    """Blur tokens [B, H*W, D] in row-major order over their grid; of their shape and dtype, computed in float32.

    size: (H, W). sigma: standard deviation in tokens; 0 changes nothing, above 9999 every token becomes the mean.
    The kernel spans 6 sigma, at most the grid, and reflects at the edges without doubling them: so at a finite sigma
    the mean is kept but roughly. Source: arXiv:2408.00760, section 4, and its code SusungHong/SEG-SDXL.
    """
    height, width = size
    if tokens.shape[1] != height * width:
        raise ValueError(f"{tokens.shape[1]} tokens are no grid of {height} x {width}")
    if sigma <= 0:
        return tokens
    wide = tokens.float()
    if sigma > INFINITE:
        return wide.mean(1, keepdim=True).expand_as(wide).to(tokens.dtype)
    down, across = (_matrix(side, sigma).to(tokens.device) for side in size)
    grid = wide.unflatten(1, (height, width))  # [B, H, W, D]
    blurred = torch.einsum("yi,xj,bijd->byxd", down, across, grid)
    return blurred.flatten(1, 2).to(tokens.dtype)


@lru_cache(maxsize=64)
def _matrix(side: int, sigma: float) -> Tensor:
    """The blur along one side as a matrix [side, side], its rows summing to 1."""
    # As odd numbers: 6 sigma rounded up, and the grid.
    reach = min(math.ceil(6 * sigma) // 2, side // 2)  # tokens to either side
    steps = torch.arange(-reach, reach + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (steps / sigma) ** 2)
    weights /= weights.sum()
    matrix = torch.zeros(side, side, dtype=torch.float64)
    last = side - 1
    for row in range(side):
        for step, weight in zip(range(-reach, reach + 1), weights.tolist(), strict=True):
            at = abs(row + step)
            matrix[row, min(at, 2 * last - at)] += weight
    return matrix.float()
