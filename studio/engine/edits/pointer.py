"""Executor "pointer swap": a weight set built once per stack; on and off is a change of pointers.

The same numbers as "merged", bit for bit. Not under torch.compile or CUDA graphs, which remember addresses.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor

from studio.engine.edits.compose import Composition, shares_of
from studio.engine.edits.deltas import DeltaCache
from studio.engine.edits.pristine import Pristine, WeightKey
from studio.engine.edits.stack import EditStack

MAX_BYTES = 512 * 1024**2


class Pointers:
    """Weight sets of one component, the least recently used first out; the one in use always stays.

    While a set is in use the parameters' own memory holds the base.
    """

    def __init__(self, component: str, pristine: Pristine, deltas: DeltaCache, max_bytes: int = MAX_BYTES) -> None:
        self._component = component
        self._pristine = pristine
        self._deltas = deltas
        self._max_bytes = max_bytes
        self._sets: OrderedDict[str, dict[WeightKey, Tensor]] = OrderedDict()
        self._pointed: dict[WeightKey, Tensor] = {}

    def point(self, stack: EditStack) -> None:
        """Show a stack. Only while the parameters' own memory holds the base."""
        if stack.id not in self._sets:
            self._sets[stack.id] = self._build(stack)
        self._sets.move_to_end(stack.id)
        self.leave()
        self._pointed = self._sets[stack.id]
        self._pristine.point(self._pointed, self._pointed)
        while len(self._sets) > 1 and self.nbytes() > self._max_bytes:
            self._sets.popitem(last=False)

    def leave(self) -> None:
        """Back to the parameters' own memory."""
        self._pristine.point(self._pointed)
        self._pointed = {}

    @property
    def pointed(self) -> Mapping[WeightKey, Tensor]:
        """Which parameters live elsewhere at the moment."""
        return self._pointed

    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensors in self._sets.values() for tensor in tensors.values())

    def clear(self) -> None:
        """Forget all sets, without touching a parameter."""
        self._sets.clear()
        self._pointed = {}

    def _build(self, stack: EditStack) -> dict[WeightKey, Tensor]:
        shares = shares_of(stack, self._component)
        self._pristine.keep(shares)  # home holds the base, so this is W0 even while another set is shown
        copies = {key: torch.empty_like(self._pristine[key]) for key in shares}
        strengths = {edit.sha256: strength for edit, strength in stack}
        Composition(shares, self._pristine, self._deltas, self._component).write(copies, strengths)
        return copies
