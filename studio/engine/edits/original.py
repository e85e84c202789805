"""Names of layers as the original Stable Diffusion code has them ("input_blocks.4.1..."), beside those of diffusers.

Single checkpoints hold their weights under these, and several trainers write adapters so. The maps follow from the
layers' names alone: how many resnets each block has, and whether it ends in a down- or upsampler. Sources: the UNet of
CompVis/stable-diffusion, ldm/modules/diffusionmodules/openaimodel.py (input_blocks, middle_block, output_blocks), and
diffusers' UNet2DConditionModel, whose blocks are the same ones grouped by resolution; for the text encoders of SD 2.x
and the second of SDXL the transformer of mlfoundations/open_clip, beside transformers' CLIPTextModel.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_OUTSIDE = {
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
_MIDDLE = (
    ("mid_block.resnets.0", "middle_block.0"),
    ("mid_block.attentions.0", "middle_block.1"),
    ("mid_block.resnets.1", "middle_block.2"),
)
_CLIP_LAYER = {"mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj"}
_CLIP_LAYERS, _RESBLOCKS = "encoder.layers.", "resblocks."
CLIP_PROJECTIONS = ("q_proj", "k_proj", "v_proj")  # one matrix in open_clip, in this order


def sgm_names(paths: Collection[str]) -> dict[str, str]:
    """Give diffusers path -> original name, for all layers of a UNet that have one."""
    prefixes = dict(_blocks(paths))
    names = {path: name for path, name in _OUTSIDE.items() if path in paths}
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
        names[path] = f"{prefix}.{inner}"
    return names


def clip_names(paths: Collection[str]) -> dict[str, str]:
    """Give transformers path -> name in open_clip's transformer, for those layers of CLIP's text model that have one of
    their own: the projections of queries, keys and values have not.
    """
    names: dict[str, str] = {}
    for path in paths:
        number, _, inner = path.removeprefix(_CLIP_LAYERS).partition(".")
        if path.startswith(_CLIP_LAYERS) and inner in _CLIP_LAYER:
            names[path] = f"{_RESBLOCKS}{number}.{_CLIP_LAYER[inner]}"
    return names


def unet_paths(names: Collection[str]) -> dict[str, str]:
    """Give original name -> diffusers path, for all layers of a UNet that have one: `sgm_names` the other way round."""
    prefixes = {theirs: ours for ours, theirs in _original_blocks(names)}
    resnet = {theirs: ours for ours, theirs in _RESNET.items()}
    outside = {theirs: ours for ours, theirs in _OUTSIDE.items()}
    paths = {name: outside[name] for name in names if name in outside}
    for name in names:
        parts = name.split(".")
        size = 2 if parts[0] == "middle_block" else 3
        prefix = prefixes.get(".".join(parts[:size]))
        if prefix is None or name in paths:
            continue
        inner = ".".join(parts[size:])
        if ".resnets." in prefix:
            inner = resnet.get(inner, inner)
        elif inner == "op":
            inner = "conv"
        paths[name] = f"{prefix}.{inner}"
    return paths


def clip_path(name: str) -> str | None:
    """Give the transformers path of a layer or parameter of open_clip's transformer, None if it has none of its own."""
    inner_paths = {theirs: ours for ours, theirs in _CLIP_LAYER.items()}
    number, _, inner = name.removeprefix(_RESBLOCKS).partition(".")
    if not name.startswith(_RESBLOCKS) or inner not in inner_paths:
        return None
    return f"{_CLIP_LAYERS}{number}.{inner_paths[inner]}"


def _original_blocks(names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Give (prefix in diffusers, prefix in the original) of every resnet, attention and sampler."""
    heads = {".".join(name.split(".")[:size]) for name in names for size in (2, 3, 4)}
    block = layer = 0
    for at in range(1, _count(names, "input_blocks.")):
        block_name = f"input_blocks.{at}"
        if f"{block_name}.0.op" in heads:
            yield f"down_blocks.{block}.downsamplers.0", f"{block_name}.0"
            block, layer = block + 1, 0
            continue
        yield f"down_blocks.{block}.resnets.{layer}", f"{block_name}.0"
        yield f"down_blocks.{block}.attentions.{layer}", f"{block_name}.1"
        layer += 1
    yield from _MIDDLE
    block = layer = 0
    for at in range(_count(names, "output_blocks.")):
        block_name = f"output_blocks.{at}"
        yield f"up_blocks.{block}.resnets.{layer}", f"{block_name}.0"
        sampler = next((place for place in (1, 2) if f"{block_name}.{place}.conv" in heads), None)
        if sampler != 1:
            yield f"up_blocks.{block}.attentions.{layer}", f"{block_name}.1"
        layer += 1
        if sampler is not None:
            yield f"up_blocks.{block}.upsamplers.0", f"{block_name}.{sampler}"
            block, layer = block + 1, 0


def _blocks(paths: Collection[str]) -> Iterator[tuple[str, str]]:
    """Give (prefix in diffusers, prefix in the original) of every resnet, attention and sampler."""
    at = 1  # input_blocks.0 is conv_in
    for block in range(_count(paths, "down_blocks.")):
        block_name = f"down_blocks.{block}"
        for layer in range(_count(paths, f"down_blocks.{block}.resnets.")):
            yield f"{block_name}.resnets.{layer}", f"input_blocks.{at}.0"
            yield f"{block_name}.attentions.{layer}", f"input_blocks.{at}.1"
            at += 1
        if f"{block_name}.downsamplers.0.conv" in paths:
            yield f"{block_name}.downsamplers.0", f"input_blocks.{at}.0"
            at += 1
    yield from _MIDDLE
    at = 0
    for block in range(_count(paths, "up_blocks.")):
        block_name = f"up_blocks.{block}"
        attends = _count(paths, f"up_blocks.{block}.attentions.") > 0
        for layer in range(_count(paths, f"up_blocks.{block}.resnets.")):
            yield f"{block_name}.resnets.{layer}", f"output_blocks.{at}.0"
            yield f"{block_name}.attentions.{layer}", f"output_blocks.{at}.1"
            at += 1
        yield f"{block_name}.upsamplers.0", f"output_blocks.{at - 1}.{2 if attends else 1}"


def _count(paths: Collection[str], start: str) -> int:
    """How many numbers 0, 1, ... without a gap stand behind this start of a path: no single name makes it count far."""
    number = re.compile(re.escape(start) + r"(\d{1,4})\.")
    numbers = {int(match[1]) for path in paths if (match := number.match(path))}
    return next(count for count in range(len(numbers) + 1) if count not in numbers)
