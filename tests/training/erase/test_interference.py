"""How far edits carry texts together: that of the sum of their changes."""

from __future__ import annotations

import pytest
import torch

from studio.engine.edits.format import Dense, LowRank
from studio.training.erase.interference import pulls
from tests.engine.edits.making import make_edit
from tests.tolerance import rounding


def test_how_far_inputs_are_carried_is_that_of_the_sum_at_any_strengths() -> None:
    shapes = {"a": (6, 4), "c": (5, 4)}
    edits = [
        make_edit(shapes, seed=7),
        make_edit({"c": (5, 4)}, seed=8, kind="dense"),
        make_edit({"b": (5, 5)}, seed=9),
    ]
    draw = torch.Generator().manual_seed(1)
    weights = {path: torch.randn(shape, generator=draw, dtype=torch.float64) for path, shape in shapes.items()}
    sources, ways = torch.randn(2, 9, 4, generator=draw, dtype=torch.float64)
    along, common = pulls(edits, [f"unet.{path}" for path in shapes], lambda _, path: weights[path], sources, ways)
    strengths = torch.tensor([0.7, -1.3, 1.0], dtype=torch.float64)
    left = whole = 0.0
    for path, weight in weights.items():
        change = torch.zeros_like(weight)
        for edit, strength in zip(edits, strengths, strict=True):
            if layer := edit.layers["unet"].get(path):
                assert isinstance(layer, LowRank | Dense)
                change += strength * layer.delta().double()
        aims = ways @ weight.T
        left += float((sources @ change.T - aims).square().sum())
        whole += float(aims.square().sum())
    carried = float(2 * strengths @ along - strengths @ common @ strengths)
    assert carried == pytest.approx(1 - left / whole, abs=rounding(torch.float64, 100, left / whole))
    assert not along[2] and not common[2].any()  # it changes none of these layers
