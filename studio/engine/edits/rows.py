"""Executor "rows": every row of a batch has its own stack, so base and edits share one forward.

Each edited layer computes W0 x for all rows at once; a hook then adds (s B)(A x) to those rows that have edits, as one
batched product per stretch of neighbours: bmm for a Linear, a grouped convolution for a Conv2d. Rows without edits cost
nothing more. The same noise in every row then differs by the edit alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studio.engine.edits.factors import Buffers, LayerRows, RowPlan, build_plan
from studio.engine.edits.pristine import plain_tensors
from studio.engine.edits.stack import EditStack
from studio.engine.edits.targets import Target

MAX_PLANS = 4  # guidance asks for one, two or three predictions per row; each batch shape has its own plan


class Rows:
    """One component's layers. Used on the engine's thread only, while the weights hold the base."""

    def __init__(self, component: str, layers: Mapping[str, Target]) -> None:
        self._component = component
        self._layers = layers
        self._plans: OrderedDict[tuple[str, ...], RowPlan] = OrderedDict()
        self._buffers = Buffers()
        self._busy = False

    @contextmanager
    def applied(self, stacks: Sequence[EditStack]) -> Iterator[None]:
        """Within it, row i of every batch is computed under stacks[i]. Leaves no hook behind, whatever happens.

        A batch of another number of rows raises RuntimeError.
        """
        if self._busy:
            raise RuntimeError("rows are applied already")
        plan = self._plan(stacks)
        hooks: list[Any] = []
        self._busy = True
        try:
            for path, rows in plan.layers.items():
                hooks.append(self._layers[path].register_forward_hook(_hook(rows, plan.rows, path)))
            yield
        finally:
            for hook in hooks:
                hook.remove()
            self._busy = False

    def nbytes(self) -> int:
        return sum(plan.nbytes() for plan in self._plans.values())

    def clear(self) -> None:
        """Forget all plans: their memory, and what they know of the base."""
        self._plans.clear()
        self._buffers.clear()

    def _plan(self, stacks: Sequence[EditStack]) -> RowPlan:
        weight = next(iter(self._layers.values())).weight  # a model that moved needs its factors there too
        key = (str(weight.device), str(weight.dtype), *(stack.id for stack in stacks))
        if key not in self._plans:
            while len(self._plans) >= MAX_PLANS:
                self._buffers.give_back(self._plans.popitem(last=False)[1])
            with plain_tensors():
                self._plans[key] = build_plan(stacks, self._component, self._layers, self._buffers)
            self._buffers.clear()
        self._plans.move_to_end(key)
        return self._plans[key]


def _hook(rows: LayerRows, batch: int, path: str) -> Any:
    def add(layer: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> Tensor:
        x = inputs[0]
        if len(x) != batch:
            raise RuntimeError(f"{path} sees {len(x)} rows, and edits are set for {batch}")
        if isinstance(layer, nn.Conv2d):
            _add_convolution(rows, layer, x, out)
        else:
            _add_linear(rows, x, out)
        return out

    return add


def _add_linear(rows: LayerRows, x: Tensor, out: Tensor) -> None:
    """x: [B, ..., in]. out: [B, ..., out], added to in place."""
    for lo, hi, at in rows.runs:
        n, y = hi - lo, out[lo:hi]
        if rows.A is not None and rows.B is not None:
            inner = torch.bmm(x[lo:hi].reshape(n, -1, x.shape[-1]), rows.A[at : at + n].mT)  # [n, T, R]
            y.add_(torch.bmm(inner, rows.B[at : at + n].mT).view(y.shape))  # [n, T, out]
        if rows.bias is not None:
            y.add_(rows.bias[at : at + n].view(n, *(1,) * (y.ndim - 2), -1))
    for delta, stretches in rows.dense:
        for lo, hi in stretches:
            out[lo:hi].add_(F.linear(x[lo:hi], delta))


def _add_convolution(rows: LayerRows, layer: nn.Conv2d, x: Tensor, out: Tensor) -> None:
    """x: [B, in, H, W]. out: [B, out, H', W'], added to in place."""
    how: dict[str, Any] = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation}
    for lo, hi, at in rows.runs:
        n, y = hi - lo, out[lo:hi]
        if rows.A is not None and rows.B is not None:
            # Each row is a group of one convolution: [1, n * in, H, W] -> [1, n * R, H', W']
            side_by_side = x[lo:hi].reshape(1, -1, *x.shape[2:])
            kernels = rows.A[at : at + n].flatten(0, 1)  # [n * R, in, k, k]
            inner = F.conv2d(side_by_side, kernels, groups=n, **how).reshape(n, rows.A.shape[1], -1)  # [n, R, H' * W']
            y.add_(torch.bmm(rows.B[at : at + n], inner).view(y.shape))
        if rows.bias is not None:
            y.add_(rows.bias[at : at + n, :, None, None])
    for delta, stretches in rows.dense:
        for lo, hi in stretches:
            out[lo:hi].add_(F.conv2d(x[lo:hi], delta, **how))
