"""How edits disturb each other: what one sends elsewhere, another may move too.

They do so also where their weights have nothing in common as matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from studio.engine.edits.format import Edit, Layer, Mask

BaseWeight = Callable[[str, str], Tensor]  # (component, path) -> W0


def pulls(
    edits: Sequence[Edit], addresses: Sequence[str], base: BaseWeight, sources: Tensor, ways: Tensor
) -> tuple[Tensor, Tensor]:
    """How far edits carry inputs c along their ways e, over the layers at some addresses ("component.path").

    edits: D_i, of a mask -(1 - M) W0. base: gives W0. sources: c, [n, d], and ways: e, [n, d], of the layers' width d.
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


def _delta(layer: Layer, component: str, path: str, base: BaseWeight) -> Tensor:
    if not isinstance(layer, Mask):
        return layer.delta().double()
    return (layer.M.double() - 1) * base(component, path).detach().cpu().double()
