"""What the rows of one batch add to each layer: low-rank factors per row, dense changes per stack, biases per row.

A row's factors are those of its whole stack side by side, strength and alpha / r folded into B, padded with zeros to
the largest rank among the rows: B A = [s_1 B_1, s_2 B_2] [A_1; A_2]. Only rows that a layer changes have any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.engine.edits.compose import Share
from studio.engine.edits.format import LowRank, Mask
from studio.engine.edits.stack import EditStack
from studio.engine.edits.targets import Target

Run = tuple[int, int, int]  # rows lo .. hi - 1 of the batch, whose factors begin at `at`


@dataclass(frozen=True, eq=False)
class LayerRows:
    """What one layer adds.

    A: [n, R, in] or [n, R, in, k, k].
    B: [n, out, R].
    bias: [n, out], for the n rows of `runs`.
    dense: one entry per stack with dense or masked changes: D in the weight's shape, and its rows as (lo, hi).
    """

    runs: tuple[Run, ...]
    A: Tensor | None
    B: Tensor | None
    bias: Tensor | None
    dense: tuple[tuple[Tensor, tuple[tuple[int, int], ...]], ...]

    def tensors(self) -> list[Tensor]:
        return [t for t in (self.A, self.B, self.bias, *(delta for delta, _ in self.dense)) if t is not None]


@dataclass(frozen=True, eq=False)
class RowPlan:
    """All of it for one batch.

    rows: of the batch.
    layers: by module path.
    """

    rows: int
    layers: Mapping[str, LayerRows]

    def nbytes(self) -> int:
        return sum(tensor.nbytes for layer in self.layers.values() for tensor in layer.tensors())


class Buffers:
    """Memory of plans that have gone, for the next of the same shapes: a slider fills, and does not allocate."""

    def __init__(self) -> None:
        self._spare: dict[tuple[object, ...], list[Tensor]] = {}

    def take(self, like: Tensor, *shape: int) -> Tensor:
        """Give memory of a shape, on the device and in the dtype of `like`; what it holds is anything."""
        spare = self._spare.get((shape, like.dtype, like.device))
        return spare.pop() if spare else torch.empty(shape, dtype=like.dtype, device=like.device)

    def give_back(self, plan: RowPlan) -> None:
        for layer in plan.layers.values():
            for tensor in layer.tensors():
                self._spare.setdefault((tuple(tensor.shape), tensor.dtype, tensor.device), []).append(tensor)

    def clear(self) -> None:
        self._spare.clear()


def build_plan(stacks: Sequence[EditStack], component: str, layers: Mapping[str, Target], buffers: Buffers) -> RowPlan:
    """Lay out the factors for rows with these stacks. The weights must hold the base: masks are relative to it."""
    by_stack = {stack.id: stack.on(component) for stack in stacks}
    paths = dict.fromkeys(path for shares in by_stack.values() for path in shares)
    ids = [stack.id for stack in stacks]
    return RowPlan(
        len(stacks),
        {
            path: _layer_rows(
                ids, {key: shares.get(path, []) for key, shares in by_stack.items()}, layers[path], buffers
            )
            for path in paths
        },
    )


def _layer_rows(ids: list[str], shares: Mapping[str, list[Share]], layer: Target, buffers: Buffers) -> LayerRows:
    weight = layer.weight
    ranks = {
        key: sum(layer_change.rank for _, layer_change, _ in share if isinstance(layer_change, LowRank))
        for key, share in shares.items()
    }
    biased = {
        key for key, share in shares.items() if any(layer_change.bias is not None for _, layer_change, _ in share)
    }
    active = [row for row, key in enumerate(ids) if ranks[key] or key in biased]
    a = b = bias = None
    if rank := max(ranks.values()):
        a = buffers.take(weight, len(active), rank, *weight.shape[1:])
        b = buffers.take(weight, len(active), weight.shape[0], rank)
        for at, row in enumerate(active):
            _fill_factors(a[at], b[at], shares[ids[row]])
    if biased:
        bias = buffers.take(weight, len(active), weight.shape[0]).zero_()
        for at, row in enumerate(active):
            for _, layer_change, strength in shares[ids[row]]:
                if layer_change.bias is not None:
                    bias[at] += strength * layer_change.bias.to(bias)
    dense = tuple(
        (delta, _together([row for row, stack_id in enumerate(ids) if stack_id == key]))
        for key, share in shares.items()
        if (delta := _dense(share, weight, buffers)) is not None
    )
    runs: list[Run] = []
    at = 0
    for lo, hi in _together(active):
        runs.append((lo, hi, at))
        at += hi - lo
    return LayerRows(tuple(runs), a, b, bias, dense)


def _fill_factors(a: Tensor, b: Tensor, shares: Sequence[Share]) -> None:
    """One row. a: [R, in, ...], b: [out, R]."""
    at = 0
    for _, layer, strength in shares:
        if isinstance(layer, LowRank):
            a[at : at + layer.rank].copy_(layer.A)
            b[:, at : at + layer.rank].copy_(layer.B.flatten(1).float() * (strength * layer.scale))
            at += layer.rank
    a[at:].zero_()
    b[:, at:].zero_()


def _dense(shares: Sequence[Share], weight: Tensor, buffers: Buffers) -> Tensor | None:
    """W0 (prod (1 - s (1 - M)) - 1) + sum s D over the masks and dense changes of a stack, or None without any."""
    if all(isinstance(layer, LowRank) for _, layer, _ in shares):
        return None
    factor = torch.ones((), device=weight.device)
    total = torch.zeros(weight.shape, device=weight.device)
    for _, layer, strength in shares:
        if isinstance(layer, Mask):
            factor = factor * layer.factor(strength, weight.device)
        elif not isinstance(layer, LowRank):
            total.add_(layer.delta(weight.device), alpha=strength)
    total.addcmul_(weight.detach().float(), (factor - 1).expand_as(total))
    return buffers.take(weight, *weight.shape).copy_(total)


def _together(rows: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Rows in growing order as stretches (lo, hi): neighbours are handled as one."""
    stretches: list[tuple[int, int]] = []
    for row in rows:
        if stretches and stretches[-1][1] == row:
            stretches[-1] = (stretches[-1][0], row + 1)
        else:
            stretches.append((row, row + 1))
    return tuple(stretches)
