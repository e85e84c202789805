"""Which layers of a network can be perturbed, and which of them a name means."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from torch import nn

from studio.core.errors import BadInput

_SHOWN = 12


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
        found: dict[str, nn.Module] = {}
        for layer in layers or self._default:
            wanted = layer.removesuffix(".attn1")
            below = {p: block for p, block in self.blocks.items() if f"{p}.".startswith(f"{wanted}.")}
            if not below:
                raise BadInput(
                    f"The model {self._name} has no self-attention at layers {layer[:80]!r}; it has some at "
                    f"{', '.join(self._places()) or 'no layer at all'}.",
                    field="layers",
                )
            found |= below
        return {path: block for path, block in self.blocks.items() if path in found}

    def _places(self) -> list[str]:
        """Short paths to name: the stages, such as up_blocks.1."""
        stages = ((parts[0], parts[1]) for parts in (path.split(".") for path in self.blocks))
        return list(dict.fromkeys(f"{a}.{b}" if b.isdigit() else a for a, b in stages))[:_SHOWN]


def _attends_to_itself(module: nn.Module) -> bool:
    attention = getattr(module, "attn1", None)
    # With only_cross_attention, attn1 sees the prompt.
    return isinstance(attention, nn.Module) and not getattr(module, "only_cross_attention", False)
