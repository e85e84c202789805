"""Merging: exact where it says so, the papers' rules number by number, and nothing at random but what a seed says."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import Tensor

from studio.core.errors import BadInput
from studio.engine.edits.format import Dense, Edit, LowRank
from studio.engine.edits.merge_rules import dropped, linear, q_norm, ties, trimmed
from studio.engine.edits.merging import METHODS, MergeOptions, Method, merge
from studio.engine.edits.room import WeightRoom
from studio.engine.edits.stack import EditStack
from tests.engine.edits.making import given, make_edit, shapes_of, small
from tests.tolerance import rounding

SHAPES = shapes_of(small())


def deltas(edit: Edit) -> dict[str, Tensor]:
    return {f"{component}/{path}": layer.delta() for component, path, layer in edit.each()}  # type: ignore[union-attr]


def pair(**values: object) -> list[Edit]:
    some = {path: SHAPES[path] for path in ("to_q", "down")}
    biased = {"biased": ["conv_in"]}
    return [make_edit(SHAPES, 1, **biased, **values), make_edit(some, 2, rank=3, **values)]  # type: ignore[arg-type]


def close(a: Tensor, b: Tensor, operations: int = 8) -> bool:
    size = max(float(a.abs().max()), float(b.abs().max()), 1e-30)
    return bool(torch.allclose(a, b, rtol=0, atol=rounding(torch.float32, operations, size)))


# -- rules on tensors -------------------------------------------------------------------------------------------------


def test_ties_number_by_number() -> None:
    first, second, third = (
        torch.tensor([[3.0, -1.0, 2.0, 0.1]]),
        torch.tensor([[-1.0, -2.0, 4.0, 0.0]]),
        torch.tensor([[-1.0, 5.0, -6.0, 0.2]]),
    )
    assert trimmed(first, 0.5).tolist() == [[3.0, 0.0, 2.0, 0.0]]
    # Signs of the sums 1, 2, 0, 0.3: averages of those that agree and are not 0; a sum of 0 elects nothing.
    assert ties([first, second, third], [1, 1, 1], 1.0).tolist() == [[3.0, 5.0, 0.0, pytest.approx(0.15)]]
    # Trimmed to half: [3 0 2 0], [0 -2 4 0], [0 5 -6 0].
    assert ties([first, second, third], [1, 1, 1], 0.5).tolist() == [[3.0, 5.0, 0.0, 0.0]]
    assert torch.equal(ties([first], [2.0], 1.0), 2 * first)
    assert torch.equal(ties([first, second], [1, -1], 0.5), ties([first, -second], [1, 1], 0.5))
    assert trimmed(torch.tensor([[1.0, -1.0, 1.0]]), 0.001).tolist() == [[1.0, 0.0, 0.0]]
    with pytest.raises(ValueError):
        trimmed(first, 0.0)
    with pytest.raises(ValueError):
        linear([first], [])


def expected(delta: Tensor, inputs: Tensor, drop: float, q: float) -> tuple[float, float]:
    """E|D' x - D x|^2 and E|D' x|^2 over all ways to leave numbers out, summed over inputs: exact."""
    error = strength = 0.0
    for kept in product((0.0, 1.0), repeat=delta.numel()):
        chance = math.prod((1 - drop) if keep else drop for keep in kept)
        thinned = delta * torch.tensor(kept, dtype=delta.dtype).reshape(delta.shape) / q
        error += chance * float((inputs @ (thinned - delta).T).square().sum())
        strength += chance * float((inputs @ thinned.T).square().sum())
    return error, strength


def test_q_is_what_it_says_over_all_masks() -> None:
    generator = torch.Generator().manual_seed(3)
    delta = torch.randn(2, 4, generator=generator, dtype=torch.float64)
    inputs = torch.randn(5, 4, generator=generator, dtype=torch.float64) + 1
    strength, drop = float((inputs @ delta.T).square().sum()), 0.7
    spread = float((inputs.square() @ delta.square().T).sum()) / strength
    assert expected(delta, inputs, drop, q_norm(drop, spread))[1] == pytest.approx(strength, rel=1e-9)
    assert q_norm(drop) == pytest.approx(math.sqrt(1 - drop))  # where inputs are alike in all directions


def test_dare_keeps_the_mean_and_its_seed() -> None:
    delta = torch.ones(200, 200)
    thinned = dropped(delta, 0.9, 0.1, torch.Generator().manual_seed(1))
    assert torch.equal(thinned, dropped(delta, 0.9, 0.1, torch.Generator().manual_seed(1)))
    assert thinned.unique().tolist() == [0.0, pytest.approx(10.0)]
    # 40,000 numbers of mean 1 and variance p / (1 - p) = 9.
    assert abs(float(thinned.mean()) - 1) < 4 * math.sqrt(9 / 40_000)
    assert torch.equal(dropped(delta, 0.0, 1.0, torch.Generator()), delta)
    for drop, q in ((1.0, 0.1), (-0.1, 1.0), (0.5, 0.0)):
        with pytest.raises(ValueError):
            dropped(delta, drop, q, torch.Generator())


# -- edits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["concatenate", "linear", "svd"])
def test_sums_are_the_stack_in_function_space(method: Method) -> None:
    first, second = pair()
    merged = merge(
        [first, second], [0.7, -0.5], "both", MergeOptions(method=method, rank=72 if method == "svd" else None)
    )
    assert merged.energy == pytest.approx(1.0)
    module = small()
    room = WeightRoom({"unet": module})
    x, t = given(2)
    room.use(EditStack.of([(first, 0.7), (second, -0.5)]))
    stacked = module(x, t)
    room.use(EditStack.of([(merged.edit, 1.0)]))
    assert close(module(x, t), stacked, operations=2000)
    room.close()
    assert torch.equal(module.to_q.weight, small().to_q.weight)


@pytest.mark.parametrize("method", METHODS)
def test_order_does_not_count_and_one_at_strength_0_takes_no_part(method: Method) -> None:
    first, second = pair()
    third = make_edit(SHAPES, 5, rank=1)
    options = MergeOptions(method=method, density=1.0, drop=0.5)
    merged = merge([first, second], [1.0, 2.0], "m", options)
    assert merge([second, first], [2.0, 1.0], "m", options).edit.sha256 == merged.edit.sha256
    assert merge([first, third, second], [1.0, 0.0, 2.0], "m", options).edit.sha256 == merged.edit.sha256
    named = merged.edit.provenance["merge"]["edits"]
    assert {edit["sha256"]: edit["strength"] for edit in named} == {first.sha256: 1.0, second.sha256: 2.0}
    assert merged.edit.layers["unet"]["conv_in"].bias is not None


def test_seeds_decide_what_is_left_out_and_company_does_not() -> None:
    first, second = pair()
    options = MergeOptions(method="dare", drop=0.5)
    both = deltas(merge([first, second], [1.0, 1.0], "m", options).edit)
    reversed_second = deltas(merge([first, second], [1.0, -1.0], "m", options).edit)
    alone = {name: (both[name] + reversed_second[name]) / 2 for name in both}
    for name, delta in deltas(first).items():
        assert set((alone[name] / delta).round(decimals=3).unique().tolist()) <= {0.0, 2.0}
    other = deltas(merge([first, second], [1.0, 1.0], "m", options.model_copy(update={"seed": 1})).edit)
    assert any(not torch.equal(both[name], other[name]) for name in both)


def test_what_a_rank_leaves_out_is_told() -> None:
    first, second = pair(kind="dense")
    whole = deltas(merge([first, second], [1.0, 1.0], "m", MergeOptions(method="linear")).edit)
    merged = merge([first, second], [1.0, 1.0], "m", MergeOptions(method="svd", rank=2))
    assert merged.edit.kind == "lora" and 0.1 < merged.energy < 0.99
    lost = sum(float((whole[name] - delta).double().square().sum()) for name, delta in deltas(merged.edit).items())
    total = sum(float(delta.double().square().sum()) for delta in whole.values())
    assert merged.energy == pytest.approx(1 - lost / total, rel=1e-4)


def test_a_dense_edit_and_a_low_rank_one_go_together_but_not_as_factors() -> None:
    first = make_edit(SHAPES, 1)
    second = make_edit(SHAPES, 2, "dense")
    merged = merge([first, second], [1.0, 1.0], "m", MergeOptions(method="linear")).edit
    assert merged.kind == "dense" and close(
        deltas(merged)["unet/to_q"], deltas(first)["unet/to_q"] + deltas(second)["unet/to_q"]
    )
    with pytest.raises(BadInput, match="has no factors to concatenate"):
        merge([first, second], [1.0, 1.0], "m", MergeOptions())


def test_what_cannot_be_merged_is_refused() -> None:
    first, second = pair()
    mask = make_edit(SHAPES, 3, "mask")
    other_shape = Edit("x", "lora", {"unet": {"to_q": LowRank(torch.ones(1, 4), torch.ones(4, 1), 1.0)}})
    reverse = Edit("y", "dense", {"unet": {"to_q": Dense(-first.layers["unet"]["to_q"].delta())}})  # type: ignore[union-attr]
    only = replace(first, layers={"unet": {"to_q": first.layers["unet"]["to_q"]}})
    cases = [
        ([first], [1.0], MergeOptions(), "2 to 16 edits are merged, not 1"),
        ([first, second], [1.0, 0.0], MergeOptions(), "1 are at strength 0"),
        ([first, first], [1.0, 1.0], MergeOptions(), "there twice"),
        ([first, mask], [1.0, 1.0], MergeOptions(method="linear"), "is a mask"),
        ([first, other_shape], [1.0, 1.0], MergeOptions(method="linear"), "different shapes"),
        ([only, reverse], [1.0, 1.0], MergeOptions(method="linear"), "cancel each other out"),
        ([first, second], [1.0, 11.0], MergeOptions(), "lies in -10..10"),
        (
            [replace(first, base={"unet": "a"}), replace(second, base={"unet": "b"})],
            [1.0, 1.0],
            MergeOptions(),
            "different weights",
        ),
        ([first, second], [1.0, 1.0], MergeOptions(rank=4), "Take svd"),
        ([first, second], [1.0, 1.0], MergeOptions(method="svd", rank=0), "A rank is a whole number"),
        ([first, second], [1.0, 1.0], MergeOptions(method="dare", q=0.5), "q is of darex"),
    ]
    for edits, weights, options, sentence in cases:
        with pytest.raises(BadInput) as refused:
            merge(edits, weights, "m", options)
        assert sentence in str(refused.value), sentence
