"""The space a method's arithmetic is done in: predictions taken there, the outcome brought back to the data.

    x0      the data        raw     whatever the network puts out
    eps     the noise       flow    the velocity eps - x0, large t being noise

All of them in float32 or better. At the data (s = 0) only x0 and raw of a "sample" exist: `has` says so. In pure noise
(a = 0, where flows and zero terminal SNR begin) every prediction has the same noise, x/s, and the data could not be
told back from it: a is held at 1e-4 there, on the way there and back. So it is where Stencil begins, at a = 4.9e-5.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from studio.diffusion.parameterisation import MIN_A, at_least_float32, to_x0
from studio.guidance.prediction import Pred
from studio.guidance.vectors import wide

Space = Literal["x0", "raw", "eps", "flow"]


def has(pred: Pred, space: Space) -> bool:
    """Whether a prediction can be taken to a space and back at its noise level."""
    return space == "x0" or pred.at.s > 0


def in_space(pred: Pred, space: Space) -> Tensor:
    """The prediction in a space, [B, C, H, W]."""
    match space:
        case "x0":
            return pred.x0
        case "raw":
            return at_least_float32(pred.raw)
        case "eps":
            if pred.at.a >= MIN_A or pred.kind == "epsilon":
                return pred.eps
            # Two noises differ by 1e-4 of their data here: in float32 a thousandth of that would be rounding.
            return (wide(pred.x) - MIN_A * wide(pred.x0)) / pred.at.s
        case "flow":
            return pred.u


def to_data(value: Tensor, like: Pred, space: Space) -> Tensor:
    """The data a value of a space says, at the x and noise level of `like`. The reverse of `in_space`."""
    x, a, s = at_least_float32(like.x), like.at.a, like.at.s
    match space:
        case "x0":
            return value
        case "raw":
            return to_x0(like.kind, value, x, a, s)
        case "eps":
            return (x - s * value) / max(a, MIN_A)
        case "flow":
            return (x - s * value) / ((max(a, MIN_A) if like.kind == "epsilon" else a) + s)
