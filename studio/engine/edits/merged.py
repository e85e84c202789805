"""Executor "merged": one stack for the whole batch, written into the weights. No cost per step.

    W <- W0 * prod (1 - s_k (1 - M_k)) + sum s_k D_k

always from W0, in float32, rounded once to the weight's dtype; only tensors whose edits or strengths changed. Writes
are in place, so compiled graphs go on. Never unfused: an edit leaves because the sum is taken without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from studio.engine.edits.deltas import DeltaCache
from studio.engine.edits.format import Edit, Layer, Mask
from studio.engine.edits.pristine import Key, Pristine
from studio.engine.edits.stack import EditStack

Share = tuple[Edit, Layer, float]  # what one edit does to a tensor
_CHUNK_NUMBERS = 16 * 1024**2  # of float32 accumulators at a time, for weights in half precision


class Merged:
    """One component's weights. Used on the engine's thread only."""

    def __init__(self, component: str, pristine: Pristine, deltas: DeltaCache) -> None:
        self._component = component
        self._pristine = pristine
        self._deltas = deltas
        self._applied: dict[Key, tuple[tuple[str, float], ...]] = {}  # of each tensor that is not W0: whose, how much

    def use(self, stack: EditStack) -> int:
        """Write a stack into the weights; give how many tensors that took. If it fails, the base is back."""
        shares = shares_of(stack, self._component)
        wanted = {key: tuple((edit.sha256, s) for edit, _, s in share) for key, share in shares.items()}
        changed = [key for key in {**self._applied, **wanted} if self._applied.get(key) != wanted.get(key)]
        self._pristine.keep(changed)
        try:
            into = {key: self._pristine.parameter(key).data for key in changed}
            compose({key: shares.get(key, ()) for key in changed}, into, self._pristine, self._deltas, self._component)
        except BaseException:
            touched = self._pristine.touched()
            _copy([self._pristine.parameter(key).data for key in touched], [self._pristine[key] for key in touched])
            self._applied = {}
            raise
        self._applied = wanted
        return len(changed)

    def forget(self) -> None:
        """The parameters hold the base, by another hand."""
        self._applied = {}


def shares_of(stack: EditStack, component: str) -> dict[Key, list[Share]]:
    """Tensor -> what the stack does to it, in the order of the edits' hashes."""
    found: dict[Key, list[Share]] = {}
    for path, shares in stack.on(component).items():
        found[path, "weight"] = shares
        if biased := [share for share in shares if share[1].bias is not None]:
            found[path, "bias"] = biased
    return found


def compose(
    shares: Mapping[Key, Sequence[Share]],
    into: Mapping[Key, Tensor],
    pristine: Pristine,
    deltas: DeltaCache,
    component: str,
) -> None:
    """Compute weights from W0 and write them into the given tensors, of W0's shapes and dtypes."""
    for keys in _chunks(list(shares), pristine):
        kept = [pristine[key] for key in keys]
        places = [into[key] for key in keys]
        exact = all(tensor.dtype == torch.float32 for tensor in kept)  # then the place itself holds the sum
        sums = places if exact else [tensor.float() for tensor in kept]
        if exact:
            _copy(sums, kept)
        added: dict[str, tuple[float, list[Tensor], list[Tensor]]] = {}
        for key, total in zip(keys, sums, strict=True):
            for edit, layer, strength in shares[key]:
                if key[1] == "bias":
                    assert layer.bias is not None
                    delta = layer.bias.to(total.device, torch.float32)
                elif isinstance(layer, Mask):
                    total.mul_(layer.factor(strength, total.device))  # before any addition: those come below
                    continue
                else:
                    delta = deltas.get(edit, component, key[0], total.device)
                _, totals, parts = added.setdefault(edit.sha256, (strength, [], []))
                totals.append(total)
                parts.append(delta)
        for sha256 in sorted(added):
            strength, totals, parts = added[sha256]
            torch._foreach_add_(totals, parts, alpha=strength)
        if not exact:
            _copy(places, sums)


def _chunks(keys: list[Key], pristine: Pristine) -> Iterator[list[Key]]:
    chunk: list[Key] = []
    numbers = 0
    for key in keys:
        chunk.append(key)
        numbers += pristine[key].numel()
        if numbers >= _CHUNK_NUMBERS:
            yield chunk
            chunk, numbers = [], 0
    if chunk:
        yield chunk


def _copy(places: list[Tensor], values: list[Tensor]) -> None:
    if places:
        torch._foreach_copy_(places, values)
