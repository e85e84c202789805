"""What a network's raw output means: conversions between it, the data x0 and the noise eps.

With `x = a*x0 + s*eps`, for any (a, s), variance preserving or not:

    kind            raw output         x0                     eps
    epsilon         eps                (x - s*eps)/a          eps
    v_prediction    a*eps - s*x0       (a*x - s*v)/(a²+s²)    (s*x + a*v)/(a²+s²)
    flow            eps - x0           (x - s*u)/(a+s)        (x + a*u)/(a+s)
    sample          x0                 x0                     (x - a*x0)/s

x, raw, x0: [B, ...], any float dtype; computed and returned in float32 or better. a, s: numbers, or tensors that
broadcast against x, such as [B, 1, 1, 1]. Source: arXiv:2202.00512 (v), arXiv:2403.03206 (flow, a = 1-s).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Parameterisation = Literal["epsilon", "v_prediction", "flow", "sample"]
Scalar = float | Tensor

# At zero terminal SNR (a = 0) an eps-model says nothing of x0; this keeps the division finite.
MIN_A = 1e-4


def to_x0(kind: Parameterisation, raw: Tensor, x: Tensor, a: Scalar, s: Scalar) -> Tensor:
    """Give the data a raw output predicts. For eps-models `a` is held at 1e-4 or more."""
    raw, x = at_least_float32(raw), at_least_float32(x)
    match kind:
        case "epsilon":
            return (x - s * raw) / _clamped(a)
        case "v_prediction":
            return (a * x - s * raw) / (a * a + s * s)
        case "flow":
            return (x - s * raw) / (a + s)
        case "sample":
            return raw.to(torch.promote_types(raw.dtype, x.dtype))


def to_eps(kind: Parameterisation, raw: Tensor, x: Tensor, a: Scalar, s: Scalar) -> Tensor:
    """Give the noise a raw output predicts. For "sample", s must not be 0."""
    raw, x = at_least_float32(raw), at_least_float32(x)
    match kind:
        case "epsilon":
            return raw.to(torch.promote_types(raw.dtype, x.dtype))
        case "v_prediction":
            return (s * x + a * raw) / (a * a + s * s)
        case "flow":
            return (x + a * raw) / (a + s)
        case "sample":
            return (x - a * raw) / s


def from_x0(kind: Parameterisation, x0: Tensor, x: Tensor, a: Scalar, s: Scalar) -> Tensor:
    """Give the raw output that predicts `x0` at `x`: the inverse of `to_x0`. s must not be 0, except for "sample"."""
    x0, x = at_least_float32(x0), at_least_float32(x)
    if kind == "sample":
        return x0.to(torch.promote_types(x0.dtype, x.dtype))
    eps = (x - (_clamped(a) if kind == "epsilon" else a) * x0) / s
    match kind:
        case "epsilon":
            return eps
        case "v_prediction":
            return a * eps - s * x0
        case "flow":
            return eps - x0


def _clamped(a: Scalar) -> Scalar:
    return a.clamp(min=MIN_A) if isinstance(a, Tensor) else max(a, MIN_A)


def at_least_float32(tensor: Tensor) -> Tensor:
    """Give the tensor in float32, float64 as it is: half precision loses the small differences guidance lives on."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
