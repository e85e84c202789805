"""ComfyUI's side: which modules a model of a family has under which names, and what its loader makes of a file.

The names follow from how the UNet of latent diffusion is built (openaimodel.py of CompVis/stable-diffusion, which
ComfyUI's models/unet keep), level by level, and not from any other library's names. What the loader looks for is
comfy/lora.py's: of each known name .lora_up.weight with .lora_down.weight and .alpha, .diff, .diff_b.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

Shape = tuple[int, ...]
Patch = tuple[Tensor, Tensor | None]  # what is added to a weight, and to its bias


def unet(
    widths: Sequence[int],
    resnets: int,
    depths: Sequence[int],
    context: int,
    channels: int,
    *,
    linear: bool = False,
    labels: int = 0,
) -> dict[str, Shape]:
    """Module -> shape of its weight. depths: of the transformer at each level; the middle has the last one's."""
    start = widths[0]
    ones = () if linear else (1, 1)
    modules: dict[str, Shape] = {"time_embed.0": (4 * start, start), "time_embed.2": (4 * start, 4 * start)}
    if labels:
        modules |= {"label_emb.0.0": (4 * start, labels), "label_emb.0.2": (4 * start, 4 * start)}
    modules["input_blocks.0.0"] = (start, channels, 3, 3)

    def resnet(name: str, width: int, out: int) -> None:
        modules[f"{name}.in_layers.2"] = (out, width, 3, 3)
        modules[f"{name}.emb_layers.1"] = (out, 4 * start)
        modules[f"{name}.out_layers.3"] = (out, out, 3, 3)
        if width != out:
            modules[f"{name}.skip_connection"] = (out, width, 1, 1)

    def transformer(name: str, width: int, depth: int) -> None:
        modules[f"{name}.proj_in"] = modules[f"{name}.proj_out"] = (width, width, *ones)
        for block in (f"{name}.transformer_blocks.{number}" for number in range(depth)):
            for attention, keys in (("attn1", width), ("attn2", context)):
                modules[f"{block}.{attention}.to_q"] = modules[f"{block}.{attention}.to_out.0"] = (width, width)
                modules[f"{block}.{attention}.to_k"] = modules[f"{block}.{attention}.to_v"] = (width, keys)
            modules[f"{block}.ff.net.0.proj"], modules[f"{block}.ff.net.2"] = (8 * width, width), (width, 4 * width)

    at, width, passed = 1, start, [start]
    for level, (out, depth) in enumerate(zip(widths, depths, strict=True)):
        for _ in range(resnets):
            resnet(f"input_blocks.{at}.0", width, out)
            width = out
            if depth:
                transformer(f"input_blocks.{at}.1", width, depth)
            passed.append(width)
            at += 1
        if level + 1 < len(widths):
            modules[f"input_blocks.{at}.0.op"] = (width, width, 3, 3)
            passed.append(width)
            at += 1
    resnet("middle_block.0", width, width)
    transformer("middle_block.1", width, max(depths[-1], 1))
    resnet("middle_block.2", width, width)
    at = 0
    for level, (out, depth) in reversed(list(enumerate(zip(widths, depths, strict=True)))):
        for number in range(resnets + 1):
            resnet(f"output_blocks.{at}.0", width + passed.pop(), out)
            width = out
            if depth:
                transformer(f"output_blocks.{at}.1", width, depth)
            if level and number == resnets:
                modules[f"output_blocks.{at}.{2 if depth else 1}.conv"] = (width, width, 3, 3)
            at += 1
    modules["out.2"] = (channels, start, 3, 3)
    return {f"diffusion_model.{name}": shape for name, shape in modules.items()}


def clip(letter: str, width: int, layers: int, projection: int = 0, wide: int = 4) -> dict[str, Shape]:
    """Module -> shape, of a text encoder. wide: how many times its width the middle of a layer has."""
    start = f"text_encoders.clip_{letter}.transformer"
    modules: dict[str, Shape] = {}
    for layer in (f"{start}.text_model.encoder.layers.{number}" for number in range(layers)):
        for side in ("q_proj", "k_proj", "v_proj", "out_proj"):
            modules[f"{layer}.self_attn.{side}"] = (width, width)
        modules[f"{layer}.mlp.fc1"], modules[f"{layer}.mlp.fc2"] = (wide * width, width), (width, wide * width)
    if projection:
        modules[f"{start}.text_projection"] = (projection, width)
    return modules


FAMILIES: Mapping[str, dict[str, Shape]] = {
    "sd1": {**unet((320, 640, 1280, 1280), 2, (1, 1, 1, 0), 768, 4), **clip("l", 768, 12)},
    "sdxl": {
        **unet((320, 640, 1280), 2, (0, 2, 10), 2048, 4, linear=True, labels=2816),
        **clip("l", 768, 12),
        **clip("g", 1280, 32, projection=1280),
    },
}


def patches(file: Path, modules: Mapping[str, Shape]) -> dict[str, Patch]:
    """What the loader adds to each module. Fails for a tensor that it would not load, and for one that does not fit."""
    tensors = load_file(file)
    loaded: dict[str, Patch] = {}
    for name, shape in modules.items():
        if f"{name}.lora_up.weight" in tensors:
            up, down = tensors.pop(f"{name}.lora_up.weight"), tensors.pop(f"{name}.lora_down.weight")
            alpha = tensors.pop(f"{name}.alpha", None)
            scale = 1.0 if alpha is None else alpha.item() / down.shape[0]
            loaded[name] = ((scale * (up.flatten(1).float() @ down.flatten(1).float())).reshape(shape), None)
        if f"{name}.diff" in tensors:
            loaded[name] = (tensors.pop(f"{name}.diff"), None)
            assert tuple(loaded[name][0].shape) == shape, name
        if f"{name}.diff_b" in tensors:
            loaded[name] = (loaded.get(name, (torch.zeros(shape), None))[0], tensors.pop(f"{name}.diff_b"))
    assert not tensors, f"lora key not loaded: {sorted(tensors)[:5]}"
    return loaded


def some_of(modules: Mapping[str, Shape]) -> list[str]:
    """A dozen of the smaller modules, of all parts of the model."""
    small = sorted(name for name, shape in modules.items() if math.prod(shape) < 900_000)
    return small[:: max(1, len(small) // 12)]
