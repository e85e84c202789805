"""How far apart two computations of one value may come out: from the arithmetic, and not from what one processor gave.

Processors differ in the order of sums, in fused multiply-adds and in the last digits of exp and log; so do numbers of
threads and versions of libraries. Where bits are compared, both were computed in this process, with the same threads.
"""

from __future__ import annotations

import torch

SLACK = 10  # operations of its own for each that is counted: a step of a run is a handful of them


def rounding(dtype: torch.dtype, operations: float = 1, size: float = 1.0) -> float:
    """The distance that rounding may put between two ways to one value: eps of `size` for each operation, in line.

    operations: how many the value goes through one after the other, such as the steps of a run.
    size: the largest value on the way, which is more than the outcome's where values nearly cancel.
    """
    return SLACK * operations * torch.finfo(dtype).eps * size
