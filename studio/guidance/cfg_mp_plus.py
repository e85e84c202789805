"""CFG-MP+: the projection of CFG-MP, its iterations sped up by Anderson mixing.

With f_j = G(z_j) - z_j, m the window and b the damping, at iteration k, per sample:

    Y     = [f_k - f_{k-m}, ..., f_k - f_{k-1}]
    gamma = argmin |f_k - Y gamma|² + ridge²|gamma|²
    z_{k+1} = (1 - sum gamma)*(z_k + b*f_k) + sum_j gamma_j*(z_j + b*f_j)

Without a past this is one damped step; on an affine map of one dimension, m = 1 finds the fixed point at once.
"""

from __future__ import annotations

from typing import ClassVar, cast

import torch
from torch import Tensor

from studio.core.params import param
from studio.guidance.base import GUIDANCE
from studio.guidance.cfg_mp import ManifoldProjection
from studio.guidance.vectors import dot


@GUIDANCE.register("cfg_mp_plus")
class CFGManifoldProjectionPlus(ManifoldProjection):
    """Project the state towards agreement of both predictions with mixed iterations, then guide as usual.

    Each sample is mixed alone, and for the number of iterations asked: the authors' code stops a batch by its mean.
    Costs what `cfg_mp` does, and has its failures.
    """

    label: ClassVar[str] = "Manifold projection, mixed (CFG-MP+)"
    source: ClassVar[str] = "arXiv:2601.21892"
    neutral: ClassVar[dict[str, float]] = {"guidance_scale": 1.0, "iterations": 0}
    native_space: ClassVar = "flow"

    window: int = param(1, low=0, high=3, step=1, help="earlier iterations mixed in; 0 is none")
    damping: float = param(1.0, low=0.3, high=1, step=0.05, help="share of each residual taken")
    ridge: float = param(1e-4, low=1e-6, high=1, step=1e-4, help="keeps the mixture small where iterations are alike")

    def advance(self, zs: list[Tensor], fs: list[Tensor]) -> Tensor:
        steps = [z + self.damping * f for z, f in zip(zs, fs, strict=True)]
        m = min(self.window, len(fs) - 1)
        if m == 0:
            return steps[-1]
        f, past, earlier = fs[-1], fs[-1 - m : -1], steps[-1 - m : -1]
        columns = [f - f_past for f_past in past]
        gram = torch.stack([torch.stack([_flat(dot(p, q)) for q in columns], 1) for p in columns], 1)  # [B, m, m]
        # Residuals that differ along one line alone would make it singular where the ridge is lost to rounding.
        size = gram.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]
        ridge = (1e-14 * size).clamp(min=self.ridge**2)  # [B, 1, 1]
        gram = gram + ridge * torch.eye(m, dtype=gram.dtype, device=gram.device)
        onto = torch.stack([_flat(dot(p, f)) for p in columns], 1)  # [B, m]
        gamma = cast("Tensor", torch.linalg.solve(gram, onto))  # pyright: ignore[reportUnknownMemberType]
        mixed = steps[-1]
        for j, step in enumerate(earlier):
            share = gamma[:, j].reshape(-1, *[1] * (f.ndim - 1)).to(f.dtype)
            mixed = mixed + share * (step - steps[-1])
        return mixed


def _flat(per_sample: Tensor) -> Tensor:
    return per_sample.flatten()
