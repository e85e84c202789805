"""Perturbations row by row: hooks that change what chosen rows compute and leave the others to themselves.

Self-attention of a block is W_out softmax(QK'/sqrt(d)) V. For the chosen rows

    identity   the softmax is replaced by the identity: the input of W_out becomes V    arXiv:2403.17377, eq. 15
    blur       Q is blurred over the grid of tokens                                    arXiv:2408.00760, section 4
    skip       the output of the whole block becomes its input                         arXiv:2411.18664

The hooks sit on the projections, not on the attention between them, so the attention processor stays whichever it is,
and edits of the projections (studio.engine.edits.rows) count, if they were applied before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from studio.engine.perturb.blur import blur
from studio.engine.perturb.layers import BlockFinder
from studio.guidance import Perturbation

Perturbations = Sequence[Perturbation | None]


class Perturber:
    """Perturbs rows of one network. Keeps the paths it looked up, and nothing on the network."""

    def __init__(self, network: nn.Module, default: Sequence[str], name: str) -> None:
        """default: paths of the layers that a perturbation without any means. name: of the model, for messages."""
        self._finder = BlockFinder(network, default, name)

    def check(self, perturbation: Perturbation) -> None:
        """Raise BadInput if one of its layers does not exist."""
        self._finder.find(perturbation.layers)

    @contextmanager
    def applied(self, perturbations: Perturbations, size: tuple[int, int]) -> Iterator[None]:
        """Within it, row i of every batch is perturbed by perturbations[i], if that is not None.

        size: (h, w) of the latents, from which the grids of tokens follow. Leaves no hook behind, whatever happens.
        Raises BadInput for a layer that does not exist; a batch of another number of rows raises RuntimeError.
        """
        rows: dict[Perturbation, list[int]] = {}
        for row, perturbation in enumerate(perturbations):
            if perturbation is not None:
                rows.setdefault(perturbation, []).append(row)
        blocks_by_perturbation = {perturbation: self._finder.find(perturbation.layers) for perturbation in rows}
        hooks: list[Any] = []
        try:
            for perturbation, blocks in blocks_by_perturbation.items():
                chosen = _Chosen(rows[perturbation], len(perturbations))
                for block in blocks.values():
                    hooks += _install(block, perturbation, chosen, size)
            yield
        finally:
            for hook in hooks:
                hook.remove()


class _Chosen:
    """Some rows of a batch."""

    def __init__(self, rows: list[int], batch: int) -> None:
        self._rows = torch.tensor(rows)
        self._batch = batch

    def of(self, tensor: Tensor) -> Tensor:
        """[B, ...] -> [n, ...]."""
        if len(tensor) != self._batch:
            raise RuntimeError(f"a perturbed layer sees {len(tensor)} rows, and {self._batch} were announced")
        return tensor.index_select(0, self._on(tensor.device))

    def put(self, into: Tensor, rows: Tensor) -> Tensor:
        """A copy of [B, ...] with its chosen rows replaced by [n, ...]."""
        return into.index_copy(0, self._on(into.device), rows)

    def _on(self, device: torch.device) -> Tensor:
        if self._rows.device != device:  # once: every layer asks for it
            self._rows = self._rows.to(device)
        return self._rows


def _install(block: nn.Module, perturbation: Perturbation, chosen: _Chosen, size: tuple[int, int]) -> list[Any]:
    match perturbation.kind:
        case "identity":
            return _identity(block, chosen)
        case "blur":
            return _blurred(block, chosen, size, perturbation.sigma)
        case "skip":
            return _skipped(block, chosen)


def _identity(block: nn.Module, chosen: _Chosen) -> list[Any]:
    attention: Any = block.attn1
    outputs: list[Tensor] = []

    def keep(layer: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
        outputs[:] = [out]

    def replace(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        # [B, T, heads * d] both: the values and what attention made of them, heads side by side.
        return (chosen.put(inputs[0], chosen.of(outputs.pop()).to(inputs[0].dtype)), *inputs[1:])

    return [attention.to_v.register_forward_hook(keep), attention.to_out[0].register_forward_pre_hook(replace)]


def _blurred(block: nn.Module, chosen: _Chosen, size: tuple[int, int], sigma: float) -> list[Any]:
    def change(layer: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> Tensor:
        return chosen.put(out, blur(chosen.of(out), token_grid(size, out.shape[1]), sigma))

    attention: Any = block.attn1
    return [attention.to_q.register_forward_hook(change)]


def _skipped(block: nn.Module, chosen: _Chosen) -> list[Any]:
    def change(layer: nn.Module, inputs: tuple[Any, ...], keywords: dict[str, Any], out: Tensor) -> Tensor:
        block_input = inputs[0] if inputs else keywords["hidden_states"]
        return chosen.put(out, chosen.of(block_input).to(out.dtype))

    return [block.register_forward_hook(change, with_kwargs=True)]


def token_grid(size: tuple[int, int], tokens: int) -> tuple[int, int]:
    """(H, W) of the level of a UNet that has this many tokens. size: (h, w) of the latents.

    Levels halve and round up, as a convolution of stride 2 does. Raises RuntimeError if no level has so many.
    """
    height, width = size
    while height * width > tokens:
        height, width = (height + 1) // 2, (width + 1) // 2
    if height * width != tokens:
        raise RuntimeError(f"{tokens} tokens are no level of latents of {size[0]} x {size[1]}")
    return height, width
