"""How edited weights follow from the base.

    W <- W0 * prod (1 - s_k (1 - M_k)) + sum s_k D_k

always from W0, in float32, in the order of the edits' hashes, rounded once to the weight's dtype. Which tensors and
deltas that takes is worked out once for a set of edits; a strength that moves is then one pass over the touched
weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.engine.edits.deltas import DeltaCache
from studio.engine.edits.format import Edit, Layer, Mask
from studio.engine.edits.pristine import Pristine, WeightKey
from studio.engine.edits.stack import EditStack

Share = tuple[Edit, Layer, float]  # what one edit does to a tensor
_CHUNK_NUMBERS = 16 * 1024**2  # worked on at a time: bounds float32 accumulators, and deltas that no cache keeps


def shares_of(stack: EditStack, component: str) -> dict[WeightKey, list[Share]]:
    """Tensor -> what the stack does to it, in the order of the edits' hashes."""
    shares_by_key: dict[WeightKey, list[Share]] = {}
    for path, shares in stack.on(component).items():
        shares_by_key[path, "weight"] = shares
        if biased := [share for share in shares if share[1].bias is not None]:
            shares_by_key[path, "bias"] = biased
    return shares_by_key


@dataclass(frozen=True, slots=True)
class _Sum:
    """One tensor.

    original: W0's.
    masks, parts: (whose, what), each in the order of the edits' hashes.
    """

    key: WeightKey
    original: Tensor
    masks: tuple[tuple[str, Mask], ...]
    parts: tuple[tuple[str, Tensor], ...]

    def write(self, source: Tensor, total: Tensor, strengths: Mapping[str, float]) -> None:
        """Compute it from `source`, which is W0 in float32, into `total`, which may be the same memory."""
        for whose, mask in self.masks:  # before any addition
            source = torch.mul(source, mask.factor(strengths[whose], total.device), out=total)
        for whose, delta in self.parts:
            source = torch.add(source, delta, alpha=strengths[whose], out=total)
        if source is not total:
            total.copy_(source)


class Composition:
    """Tensors as sums over edits. It holds references, and no strength."""

    def __init__(
        self, shares: Mapping[WeightKey, Sequence[Share]], pristine: Pristine, deltas: DeltaCache, component: str
    ) -> None:
        self._shares = shares
        self._pristine = pristine
        self._deltas = deltas
        self._component = component
        self._chunks: list[list[_Sum]] | None = None  # kept while the cache keeps all their deltas
        self._worked_out = -1  # how much the cache had let go of by then

    @property
    def keys(self) -> list[WeightKey]:
        return list(self._shares)

    def write(self, into: Mapping[WeightKey, Tensor], strengths: Mapping[str, float]) -> None:
        """Compute and write into tensors of W0's shapes and dtypes. strengths: by the edits' hashes."""
        if self._chunks is None or self._worked_out != self._deltas.evicted:
            self._chunks, self._worked_out = None, self._deltas.evicted
            chunks: list[list[_Sum]] = []
            for keys in _in_chunks(list(self._shares), self._pristine):
                chunk = [_sum(key, self._shares[key], self._pristine, self._deltas, self._component) for key in keys]
                _write(chunk, into, strengths)
                if self._worked_out == self._deltas.evicted:
                    chunks.append(chunk)
                else:  # what the cache lets go of is not to be held here
                    chunks.clear()
            self._chunks = chunks if self._worked_out == self._deltas.evicted else None
        else:
            for chunk in self._chunks:
                _write(chunk, into, strengths)


def _write(chunk: Sequence[_Sum], into: Mapping[WeightKey, Tensor], strengths: Mapping[str, float]) -> None:
    if chunk[0].original.dtype == torch.float32:  # then the place itself holds the sum
        for part in chunk:
            part.write(part.original, into[part.key], strengths)
        return
    totals = [part.original.float() for part in chunk]
    for part, total in zip(chunk, totals, strict=True):
        part.write(total, total, strengths)
    torch._foreach_copy_([into[part.key] for part in chunk], totals)


def _sum(key: WeightKey, shares: Sequence[Share], pristine: Pristine, deltas: DeltaCache, component: str) -> _Sum:
    path, which = key
    original = pristine[key]
    masks: list[tuple[str, Mask]] = []
    parts: list[tuple[str, Tensor]] = []
    for edit, layer, _ in shares:
        if which == "bias":
            assert layer.bias is not None
            parts.append((edit.sha256, layer.bias.to(original.device, torch.float32)))
        elif isinstance(layer, Mask):
            masks.append((edit.sha256, layer))
        else:
            parts.append((edit.sha256, deltas.get(edit, component, path, original.device)))
    return _Sum(key, original, tuple(masks), tuple(parts))


def _in_chunks(keys: Sequence[WeightKey], pristine: Pristine) -> Iterator[list[WeightKey]]:
    chunk: list[WeightKey] = []
    numbers = 0
    for key in keys:
        if chunk and pristine[chunk[0]].dtype != pristine[key].dtype:
            yield chunk
            chunk, numbers = [], 0
        chunk.append(key)
        numbers += pristine[key].numel()
        if numbers >= _CHUNK_NUMBERS:
            yield chunk
            chunk, numbers = [], 0
    if chunk:
        yield chunk
