"""Where a denoiser attends to itself, and so can be perturbed: read from its config, before anything of it is loaded.

Paths are those of the transformer blocks in diffusers' UNet2DConditionModel, "down_blocks.0.attentions.1
.transformer_blocks.0"; tests/models/test_attention.py holds them against the networks themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.core.errors import BadInput

# What guidance by perturbation works on where nobody says which layers. A UNet's middle: arXiv:2403.17377 and
# arXiv:2408.00760. The embedded model's, of 4 x 4 tokens, hardly matters: undone there, attention changes predictions
# by 0.1 %. Half-way down it is 10 %, what a perturbation is after; on the way up 30 %, which takes pictures apart.
MIDDLE = ("mid_block",)
EMBEDDED = ("down_blocks",)

_SHOWN = 12
_MOST_LAYERS = 1000  # of a block; SDXL's deepest has 10
_MIDDLE_BLOCK = "UNetMidBlock2DCrossAttn"
# Whether their attention is in transformer blocks. Of other classes nothing is known before they are loaded.
_DOWN = {
    "CrossAttnDownBlock2D": True,
    "DownBlock2D": False,
    "ResnetDownsampleBlock2D": False,
    "AttnDownBlock2D": False,
    "SimpleCrossAttnDownBlock2D": False,
}
_UP = {
    "CrossAttnUpBlock2D": True,
    "UpBlock2D": False,
    "ResnetUpsampleBlock2D": False,
    "AttnUpBlock2D": False,
    "SimpleCrossAttnUpBlock2D": False,
}
_MID = {_MIDDLE_BLOCK: True, "UNetMidBlock2D": False, "UNetMidBlock2DSimpleCrossAttn": False, None: False}


def blocks_of(config: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Paths of the blocks with self-attention in a UNet of this config; None where that is not known from it.

    Raises KeyError, TypeError, IndexError for a config that no UNet is built from.
    """
    downs, ups = config["down_block_types"], config["up_block_types"]
    middle = config.get("mid_block_type", _MIDDLE_BLOCK)
    if not {*downs} <= {*_DOWN} or not {*ups} <= {*_UP} or middle not in _MID or config.get("dual_cross_attention"):
        return None
    count = len(downs)
    layers = _each(config.get("layers_per_block", 2), count)
    depths = _each(config.get("transformer_layers_per_block", 1), count)
    # With only_cross_attention a block's first attention sees the prompt; the middle's does not heed it.
    only = _each(config.get("only_cross_attention", False), count)
    up_depths = config.get("reverse_transformer_layers_per_block") or depths[::-1]
    paths: list[str] = []
    for i, kind in enumerate(downs):
        if _DOWN[kind] and not only[i]:
            paths += _paths(f"down_blocks.{i}", _each(depths[i], layers[i]))
    for i, kind in enumerate(ups):
        if _UP[kind] and not only[::-1][i]:
            paths += _paths(f"up_blocks.{i}", _each(up_depths[i], layers[::-1][i] + 1))
    if _MID[middle]:
        paths += _paths("mid_block", _each(depths[-1], 1)[:1])
    return tuple(paths)


def blocks_at(blocks: Sequence[str], layers: Sequence[str], model: str) -> tuple[str, ...]:
    """Those of the blocks that are at or below these paths; a path of a block's attention means its block.

    model: its name, for messages. Raises BadInput naming the first path with none, and some that have.
    """
    matching: set[str] = set()
    for layer in layers:
        block = layer.removesuffix(".attn1")
        below = {path for path in blocks if f"{path}.".startswith(f"{block}.")}
        if not below:
            raise BadInput(
                f"The model {model} has no self-attention at layers {layer[:80]!r}; it has some at {places(blocks)}.",
                field="layers",
            )
        matching |= below
    return tuple(path for path in blocks if path in matching)


def places(blocks: Sequence[str]) -> str:
    """Short paths to name: the stages, such as up_blocks.1."""
    stages = ((parts[0], parts[1]) for parts in (path.split(".") for path in blocks))
    return ", ".join(list(dict.fromkeys(f"{a}.{b}" if b.isdigit() else a for a, b in stages))[:_SHOWN]) or "no layer"


def _each(value: Any, count: int) -> list[Any]:
    """One value for all, or one for each."""
    return list(value) if isinstance(value, list | tuple) else [value] * _count(count)


def _paths(block: str, depths: Sequence[int]) -> list[str]:
    counts = [_count(depth) for depth in depths]
    return [f"{block}.attentions.{j}.transformer_blocks.{k}" for j, depth in enumerate(counts) for k in range(depth)]


def _count(value: Any) -> int:
    """A number of layers. A config may be anything, and a list as long as it says would take all memory there is."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_LAYERS:
        raise TypeError("not a number of layers")
    return value
