"""How far two sets of features are apart: the Frechet distance of their Gaussians, and the kernel distance.

Both take features of pictures [n, d] and [m, d], of any extractor, and give one number; 0 is equal. Neither depends on
the order of the rows. What a distance means is said by its floor: the same of two sets that differ by chance alone.
"""

from __future__ import annotations

import torch
from torch import Tensor


def frechet(x: Tensor, y: Tensor) -> float:
    """|m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^(1/2)), of means m and covariances S (divided by n - 1).

    Biased upwards by about d^2 / n where n is not much more than d: compare it with numbers of equal n alone.
    Source: Heusel and others, arXiv:1706.08500, equation 6, the trace of the root by singular values of the
    centred rows' products.
    Raises ValueError for fewer than two rows.
    """
    x, y = _checked(x, y, 2)
    a, b = ((rows - rows.mean(0)) / (len(rows) - 1) ** 0.5 for rows in (x, y))  # S = a^T a: their product's root has
    cross = torch.linalg.svdvals(a @ b.T).sum()  # for eigenvalues the singular values of a b^T
    return float((x.mean(0) - y.mean(0)).square().sum() + a.square().sum() + b.square().sum() - 2 * cross)


def kernel_distance(x: Tensor, y: Tensor) -> float:
    """Unbiased squared maximum mean discrepancy with k(a, b) = (a . b / d + 1)^3; it may be slightly below 0.

    Source: Binkowski and others, arXiv:1801.01401, section 3 and equation 4, over all rows at once.
    Raises ValueError for fewer than two rows.
    """
    x, y = _checked(x, y, 2)

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1).pow(3)

    def within(a: Tensor) -> Tensor:
        matrix = kernel(a, a)
        return (matrix.sum() - matrix.diagonal().sum()) / (len(a) * (len(a) - 1))

    return float(within(x) + within(y) - 2 * kernel(x, y).mean())


def _checked(x: Tensor, y: Tensor, least: int) -> tuple[Tensor, Tensor]:
    if x.dim() != 2 or y.dim() != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < least:
        raise ValueError(f"features must be [n, d] and [m, d] of {least} rows or more, not {x.shape} and {y.shape}")
    return x.double(), y.double()
