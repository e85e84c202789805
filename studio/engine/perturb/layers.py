"""Which layers of a network can be perturbed, and which of them a name means."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from torch import nn

from studio.models.attention import blocks_at


class BlockFinder:
    """The transformer blocks of one network, by path: those with self-attention `attn1`, as in diffusers' UNets.

    name: of the model, for messages. default: what no name at all means.
    """

    def __init__(self, network: nn.Module, default: Sequence[str], name: str) -> None:
        self._network = network
        self._default = tuple(default)
        self._name = name

    @cached_property
    def blocks(self) -> dict[str, nn.Module]:
        """Path -> block, in the network's own order."""
        return {path: module for path, module in self._network.named_modules() if _attends_to_itself(module)}

    def find(self, layers: Sequence[str]) -> dict[str, nn.Module]:
        """The blocks at or below these paths; a path of a block's attention means its block.

        Raises BadInput naming the first path with none, and some that have.
        """
        return {path: self.blocks[path] for path in blocks_at(tuple(self.blocks), layers or self._default, self._name)}


def _attends_to_itself(module: nn.Module) -> bool:
    attention = getattr(module, "attn1", None)
    # With only_cross_attention, attn1 sees the prompt.
    return isinstance(attention, nn.Module) and not getattr(module, "only_cross_attention", False)
