"""D = (alpha / r) B A, built once per edit and layer and kept within a byte budget: a slider moves s, not D."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor

from studio.engine.edits.format import Edit, Mask

MAX_BYTES = 512 * 1024**2


class DeltaCache:
    """Least recently used first out. What does not fit at all is built anew each time."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[tuple[str, str, str, str], Tensor] = OrderedDict()
        self._bytes = 0
        self.evicted = 0  # how often anything was let go of, or not kept at all

    def get(self, edit: Edit, component: str, path: str, device: torch.device) -> Tensor:
        """Give D of a low-rank or dense layer, float32 on the device. Not to be written to."""
        layer = edit.layers[component][path]
        assert not isinstance(layer, Mask)
        key = (edit.sha256, component, path, str(device))
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        delta = layer.delta(device)
        if delta.nbytes > self._max_bytes:
            self.evicted += 1
            return delta
        self._kept[key] = delta
        self._bytes += delta.nbytes
        while self._bytes > self._max_bytes:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
            self.evicted += 1
        return delta

    def nbytes(self) -> int:
        return self._bytes

    def clear(self) -> None:
        self._kept.clear()
        self.evicted += 1
        self._bytes = 0
