"""CHES: which pairs teach a model to become worse at both of their pictures.

    CHES = <H_w, H_l> - |H_w|²

with H what the base makes of each picture inside. The more alike the two are to the base, the higher, and the more the
margin between them is gained by losing on both (likelihood displacement): pairs at the top are left out, counted less,
or taken for ties. 0 for a picture and itself, -|H_w|² for two that have nothing in common.

Source: arXiv:2410.08847, definition 2, on sums of a language model's last hidden states. For pictures H is ours: the
mean over space and over some noise levels of what leaves the middle of the network (studio/training/align/hidden.py);
a picture has one size, so that nothing is divided by lengths.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def ches(winner: Tensor, loser: Tensor) -> Tensor:
    """Of each pair, [P] float64, the higher the worse. winner, loser: hidden states, [P, d].

    Raises ValueError for other shapes.
    """
    if winner.dim() != 2 or winner.shape != loser.shape:
        raise ValueError(f"hidden states are [P, d] on both sides, not {list(winner.shape)} and {list(loser.shape)}")
    h_w, h_l = winner.double(), loser.double()
    return (h_w * h_l).sum(1) - h_w.square().sum(1)


def displacing(scores: Tensor, share: float) -> list[int]:
    """Places of the pairs with the highest scores, the worst first: this share of all, rounded up.

    scores: [P], as `ches` gives them. Raises ValueError for a share out of 0..1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a share lies in 0..1, not {share}")
    order = torch.argsort(scores, descending=True, stable=True)
    return order[: math.ceil(share * len(scores))].tolist()
