"""Names of UNet layers as the original Stable Diffusion code has them ("input_blocks.4.1..."), beside diffusers' own.

kohya's trainer writes SDXL adapters under these. The map follows from the layout alone: how many resnets each block
has, and whether it ends in a down- or upsampler. Source: the UNet of CompVis/stable-diffusion,
ldm/modules/diffusionmodules/openaimodel.py (input_blocks, middle_block, output_blocks), and diffusers'
UNet2DConditionModel, whose blocks are the same ones grouped by resolution.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

_RESNET = {
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_OUTSIDE = {
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}


def sgm_names(paths: Collection[str]) -> dict[str, str]:
    """Give diffusers path -> original name, for all layers of a UNet that have one."""
    prefixes = dict(_blocks(paths))
    found = {path: name for path, name in _OUTSIDE.items() if path in paths}
    for path in paths:
        parts = path.split(".")
        size = 3 if parts[0] == "mid_block" else 4
        prefix = prefixes.get(".".join(parts[:size]))
        if prefix is None:
            continue
        inner = ".".join(parts[size:])
        if parts[size - 2] == "resnets":
            inner = _RESNET.get(inner, inner)
        elif parts[size - 2] == "downsamplers":
            inner = "op"
        found[path] = f"{prefix}.{inner}"
    return found


def _blocks(paths: Collection[str]) -> Iterator[tuple[str, str]]:
    """Give (prefix in diffusers, prefix in the original) of every resnet, attention and sampler."""
    at = 1  # input_blocks.0 is conv_in
    for block in range(_count(paths, r"down_blocks\.(\d+)\.")):
        own = f"down_blocks.{block}"
        for layer in range(_count(paths, rf"down_blocks\.{block}\.resnets\.(\d+)\.")):
            yield f"{own}.resnets.{layer}", f"input_blocks.{at}.0"
            yield f"{own}.attentions.{layer}", f"input_blocks.{at}.1"
            at += 1
        if f"{own}.downsamplers.0.conv" in paths:
            yield f"{own}.downsamplers.0", f"input_blocks.{at}.0"
            at += 1
    yield from (
        ("mid_block.resnets.0", "middle_block.0"),
        ("mid_block.attentions.0", "middle_block.1"),
        ("mid_block.resnets.1", "middle_block.2"),
    )
    at = 0
    for block in range(_count(paths, r"up_blocks\.(\d+)\.")):
        own = f"up_blocks.{block}"
        attends = _count(paths, rf"up_blocks\.{block}\.attentions\.(\d+)\.") > 0
        for layer in range(_count(paths, rf"up_blocks\.{block}\.resnets\.(\d+)\.")):
            yield f"{own}.resnets.{layer}", f"output_blocks.{at}.0"
            yield f"{own}.attentions.{layer}", f"output_blocks.{at}.1"
            at += 1
        yield f"{own}.upsamplers.0", f"output_blocks.{at - 1}.{2 if attends else 1}"


def _count(paths: Collection[str], pattern: str) -> int:
    """How many numbers 0, 1, ... there are at the pattern's place."""
    numbers = [int(match.group(1)) for path in paths if (match := re.match(pattern, path))]
    return max(numbers, default=-1) + 1
