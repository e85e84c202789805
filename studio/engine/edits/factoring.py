"""The low-rank form of an edit's layers: B A in place of a dense D, and how much of D that leaves out.

By singular values, which of all factors of one rank lose least (Eckart and Young, Psychometrika 1, 1936):

    |D - B_r A_r|^2 = sum over i > r of s_i^2        (Frobenius)

so the part of |D|^2 that rank r keeps, its energy, is known before a factor is made. They come from the smaller of
D D^T and D^T D, in float64: their eigenvalues are the s_i^2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.core.errors import BadInput
from studio.engine.edits.format import Dense, Edit, LowRank

SVD_TOLERANCE = 1e-5  # of |D - B A| / |D|: where float32 rounding ends and a different edit begins
MAX_EXPORT_RANK = 128
ENERGY = 0.99  # of |D|^2, kept of a layer that is not of low rank


@dataclass(frozen=True)
class LowRankForm:
    """All layers of an edit as factors.

    layers: component -> path -> factors.
    errors: "component/path" -> |D - B A| / |D|, of layers that were dense; measured, 0 to 1.
    error: the same of all dense layers together.
    """

    layers: dict[str, dict[str, LowRank]]
    errors: dict[str, float]
    error: float


def low_rank_form(edit: Edit, max_rank: int = MAX_EXPORT_RANK, energy: float = ENERGY) -> LowRankForm:
    """Give the factors of a low-rank or dense edit; its biases are left out.

    max_rank: of a dense layer's factors.
    energy: of |D|^2, kept at least, above 0 and up to 1; a layer that is of low rank up to rounding is kept whole.
    Raises BadInput for a dense layer that needs a higher rank.
    """
    if not 0 < energy <= 1:
        raise BadInput(f"The energy that is kept is a share above 0 and up to 1, not {energy:g}.", field="energy")
    layers: dict[str, dict[str, LowRank]] = {}
    errors: dict[str, float] = {}
    lost = whole = 0.0
    for component, path, layer in edit.each():
        if isinstance(layer, Dense):
            address = f"{component}/{path}"
            d = layer.D.double().flatten(1)
            layer = _factored(edit, f"{component}.{path}", layer, max_rank, energy)
            missing = float((d - layer.delta().double().flatten(1)).norm())
            size = float(d.norm())
            errors[address] = missing / size if size else 0.0
            lost, whole = lost + missing**2, whole + size**2
        assert isinstance(layer, LowRank)
        layers.setdefault(component, {})[path] = layer
    return LowRankForm(layers, errors, math.sqrt(lost / whole) if whole else 0.0)


def _factored(edit: Edit, where: str, layer: Dense, max_rank: int, energy: float) -> LowRank:
    matrix = layer.D.double().flatten(1)  # [out, n]
    is_wide = matrix.shape[0] <= matrix.shape[1]
    squares, vectors = torch.linalg.eigh(matrix @ matrix.T if is_wide else matrix.T @ matrix)
    squares, vectors = squares.flip(0).clamp_min(0), vectors.flip(1)
    residual = _residuals(squares)
    rank = max(1, int((residual > SVD_TOLERANCE).sum()))
    if rank > max_rank:
        rank = max(1, int((residual.square() > 1 - energy).sum()))
    if rank > max_rank:
        message = (
            f"The edit {edit.name!r} is not of low rank: rank {max_rank} would lose "
            f"{100 * float(residual[max_rank]):.2g} % of its change of {where} (rank {rank} keeps "
            f"{100 * energy:g} % of its energy)."
        )
        raise BadInput(message, f"Allow a rank of {rank} or less energy, or {CARRIES_ALL}.", field="max_rank")
    # Half of each singular value in either factor, so that half precision holds both.
    root = squares[:rank].sqrt().sqrt()
    root = torch.where(root > 0, root, 1)
    side = vectors[:, :rank]
    b, a = (side * root, (side.T @ matrix) / root[:, None]) if is_wide else ((matrix @ side) / root, (side * root).T)
    shape = tuple(layer.D.shape)
    ones = (1,) * (len(shape) - 2)
    factors = a.float().reshape(rank, *shape[1:]), b.float().reshape(shape[0], rank, *ones)
    return LowRank(factors[0].contiguous(), factors[1].contiguous(), float(rank))


CARRIES_ALL = "take the export for ComfyUI, the merged model or the edit's own file, which carry all of it"


def _residuals(squares: Tensor) -> Tensor:
    """|D - D_r| / |D| for r = 0, 1, ...  squares: s_i^2, falling."""
    tail = torch.cat([squares.flip(0).cumsum(0).flip(0), torch.zeros(1, dtype=squares.dtype)]).sqrt()
    return tail / tail[0].clamp_min(torch.finfo(squares.dtype).tiny)
