"""How the edits of a stack get on: whether they add up, cancel, or pull the same way.

Taken over all weights that any of them changes, as one long vector per edit, Delta_k = s_k D_k (for a mask
-s_k (1 - M_k) W0). From the Gram matrix G_ij = <Delta_i, Delta_j> all numbers follow. Biases are left out.

Weights that have nothing in common can still disturb each other: what one edit sends elsewhere, another may move too.
`pulls` says that of given inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.core.errors import BadInput
from studio.engine.edits.format import Edit, Layer, LowRank, Mask
from studio.engine.edits.stack import EditStack

BaseWeight = Callable[[str, str], Tensor]  # (component, path) -> W0


@dataclass(frozen=True)
class Interference:
    """How the edits of a stack get on with each other.

    norms: |Delta_k| in the stack's order.
    ratio: |sum Delta_k| / sum |Delta_k|, 1 where all pull the same way, 0 where they cancel; 1 for fewer than two.
    overlaps: for each pair i < j the cosine <Delta_i, Delta_j> / (|Delta_i| |Delta_j|), in -1..1; 0 for edits that
        share no layer.
    """

    norms: tuple[float, ...]
    ratio: float
    overlaps: dict[tuple[int, int], float]


def interference(stack: EditStack, base: BaseWeight | None = None) -> Interference:
    """Measure a stack. base: gives W0, needed for masks alone. Raises BadInput for a mask without it."""
    gram = gram_matrix(stack, base)
    norms = gram.diagonal().clamp_min(0).sqrt()
    total = float(norms.sum())
    ratio = float(gram.sum().clamp_min(0).sqrt()) / total if total > 0 and len(stack) > 1 else 1.0
    overlaps: dict[tuple[int, int], float] = {}
    for i in range(len(stack)):
        for j in range(i + 1, len(stack)):
            product = float(norms[i] * norms[j])
            overlaps[i, j] = float(gram[i, j]) / product if product > 0 else 0.0
    return Interference(tuple(norms.tolist()), ratio, overlaps)


def pulls(
    edits: Sequence[Edit], addresses: Sequence[str], base: BaseWeight, sources: Tensor, ways: Tensor
) -> tuple[Tensor, Tensor]:
    """How far edits carry inputs c along their ways e, over the layers at some addresses ("component.path").

    edits: low-rank or dense. base: gives W0. sources: c, [n, d], and ways: e, [n, d], of the layers' width d.
    Gives along [k], <D_i c, W0 e> / ||W0 e||², and common [k, k], <D_i c, D_j c> / ||W0 e||², both over all inputs
    and layers, in float64. At strengths s the inputs go 1 - ||sum s_i D_i c - W0 e||² / ||W0 e||² of their way,
    which is 2 s·along - s·common s.
    """
    along = torch.zeros(len(edits), dtype=torch.float64)
    common = torch.zeros(len(edits), len(edits), dtype=torch.float64)
    whole = 0.0
    for address in addresses:
        component, _, path = address.partition(".")
        aims = ways.double() @ base(component, path).detach().cpu().double().T  # [n, out]
        whole += float(aims.square().sum())
        moved: dict[int, Tensor] = {}
        for place, edit in enumerate(edits):
            if (layer := edit.layers.get(component, {}).get(path)) is not None:
                moved[place] = sources.double() @ _delta(layer, component, path, base).T
                along[place] += (moved[place] * aims).sum()
        for i, first in moved.items():
            for j, second in moved.items():
                common[i, j] += (first * second).sum()
    return along / whole, common / whole


def gram_matrix(stack: EditStack, base: BaseWeight | None = None) -> Tensor:
    """<Delta_i, Delta_j> for all pairs: [n, n], float64."""
    n = len(stack)
    gram = torch.zeros(n, n, dtype=torch.float64)
    for i, (first, s) in enumerate(stack):
        for j, (second, t) in enumerate(stack):
            if j < i:
                gram[i, j] = gram[j, i]
                continue
            for component, path, layer in first.each():
                partner = second.layers.get(component, {}).get(path)
                if partner is not None:
                    gram[i, j] += s * t * _inner(layer, partner, component, path, base)
    return gram


def _inner(first: Layer, second: Layer, component: str, path: str, base: BaseWeight | None) -> float:
    if first.shape != second.shape:
        raise BadInput(f"Two edits of the stack change {component}.{path} in shapes {first.shape} and {second.shape}.")
    if isinstance(first, LowRank) and isinstance(second, LowRank):
        # <B A, B' A'> = sum of (B^T B') * (A A'^T): r x r' numbers instead of out x in
        left = first.B.flatten(1).double().T @ second.B.flatten(1).double()
        right = first.A.flatten(1).double() @ second.A.flatten(1).double().T
        return first.scale * second.scale * float((left * right).sum())
    return float((_delta(first, component, path, base) * _delta(second, component, path, base)).sum())


def _delta(layer: Layer, component: str, path: str, base: BaseWeight | None) -> Tensor:
    if not isinstance(layer, Mask):
        return layer.delta().double()
    if base is None:
        raise BadInput("How a mask gets on with other edits depends on the model's weights; load the model first.")
    return (layer.M.double() - 1) * base(component, path).detach().cpu().double()
