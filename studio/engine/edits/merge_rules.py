"""How several changes of one weight become one: rules on tensors, for studio.engine.edits.merging.

All work on whole changes D, never on the factors A and B apart: products of sums have cross terms B_i A_j that none of
the edits has, which is what peft's linear, ties and dare types without "_svd" give.

Sources: TIES, arXiv:2306.01708, algorithm 1; DARE, arXiv:2311.03099, section 3; DAREx, arXiv:2410.09344, section 4.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def linear(deltas: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """sum w_i D_i, in float32. deltas: of one shape. Raises ValueError for none, or unequal numbers of both."""
    _check(deltas, weights)
    return torch.stack([weight * delta.float() for weight, delta in zip(weights, deltas, strict=True)]).sum(0)


def trimmed(delta: Tensor, density: float) -> Tensor:
    """A change of which only the largest numbers stay. density: the share that does, above 0 and up to 1.

    round(density * n) numbers of n, one at least; of equal ones the first.
    """
    if not 0 < density <= 1:
        raise ValueError(f"a density lies above 0 and up to 1, not {density}")
    flat = delta.float().flatten()
    count = max(1, round(density * flat.numel()))
    places = flat.abs().sort(descending=True, stable=True).indices[:count]
    return torch.zeros_like(flat).index_copy(0, places, flat[places]).reshape(delta.shape)


def ties(deltas: Sequence[Tensor], weights: Sequence[float], density: float) -> Tensor:
    """TIES: trim each change, elect a sign for each number, average those that have it.

    The sign is that of the weighted sum, and the mean is of w_i D_i over the edits that agree with it and are not 0
    there; where the sum is 0, the number is. An edit at weight -1 is that edit reversed. With equal weights it is the
    paper's; peft's "total" elects by the sum without weights.
    """
    _check(deltas, weights)
    parts = torch.stack(
        [weight * trimmed(delta, density) for weight, delta in zip(weights, deltas, strict=True)]
    )  # [k, ...]
    sign = parts.sum(0).sign()
    agrees = (parts.sign() == sign) & (parts != 0)
    return torch.where(agrees, parts, 0).sum(0) / agrees.sum(0).clamp_min(1)


def dropped(delta: Tensor, drop: float, q: float, generator: torch.Generator) -> Tensor:
    """DARE and DAREx: every number is left out with chance `drop`, and what stays is divided by q.

    q = 1 - drop leaves the mean as it is (DARE). Raises ValueError for a drop outside [0, 1) or a q of 0 or below.
    """
    if not 0 <= drop < 1 or not q > 0:
        raise ValueError(f"a drop lies in [0, 1) and q above 0, not {drop} and {q}")
    mask = torch.rand(delta.shape, generator=generator, dtype=torch.float64) >= drop
    return torch.where(mask, delta.float() / q, 0)


def q_norm(drop: float, spread: float = 1.0) -> float:
    """The q under which a change keeps its strength: E|D' x|^2 = E|D x|^2. sqrt((1-p)^2 + p (1-p) B/A).

    spread: B/A, B = E sum_ij D_ij^2 x_j^2 of A = E|D x|^2; 1 where inputs are alike in all directions.
    """
    return math.sqrt((1 - drop) ** 2 + drop * (1 - drop) * spread)


def _check(deltas: Sequence[Tensor], weights: Sequence[float]) -> None:
    if not deltas or len(deltas) != len(weights):
        raise ValueError(f"{len(deltas)} changes need as many weights, not {len(weights)}")
