"""An edit as it is once the weights that it changes are rounded: what is left of it in a model of fewer bits.

The layers an edit changes are rounded together with it, the others are left as they are: Q(W0 + D) in place of W0 + D.
Eight bits with one scale for each output, as int8 checkpoints have it; four bits with one for each 32 inputs.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from studio.core.errors import BadInput
from studio.engine.edits.format import Dense, Edit, LowRank

GROUPS: dict[int, int | None] = {8: None, 4: 32}  # bits -> weights of one scale; None is a whole output's
NAMES = {8: "int8", 4: "4-bit"}


def rounded(edit: Edit, components: Mapping[str, nn.Module], bits: int) -> Edit:
    """The edit that takes the base to its rounded, edited weights.

    components: of the base model, by name, without any edit in force. Raises BadInput for an edit of masks.
    """
    layers: dict[str, dict[str, Dense]] = {}
    for component, path, layer in edit.each():
        if not isinstance(layer, LowRank | Dense):
            raise BadInput("An edit of masks adds nothing to weights that could be lost by rounding.")
        weight: Tensor = components[component].get_submodule(path).weight.detach().float().cpu()  # type: ignore[union-attr]
        change = layer.delta().float().reshape(weight.shape)
        layers.setdefault(component, {})[path] = Dense(round_to(weight + change, bits) - weight, layer.bias)
    return Edit(f"{edit.name} {NAMES[bits]}"[:100], "dense", layers, base=edit.base, provenance={})


def round_to(weight: Tensor, bits: int) -> Tensor:
    """Weights [out, ...] rounded to so many bits, symmetrically, the largest of each group kept."""
    rows = weight.flatten(1)
    group = GROUPS[bits] or rows.shape[1]
    padded = nn.functional.pad(rows, (0, -rows.shape[1] % group)).unflatten(1, (-1, group))
    most = 2 ** (bits - 1) - 1
    scale = padded.abs().amax(-1, keepdim=True) / most
    whole = torch.where(scale > 0, (padded / scale.clamp_min(1e-30)).round(), 0.0) * scale
    return whole.flatten(1)[:, : rows.shape[1]].reshape(weight.shape)
