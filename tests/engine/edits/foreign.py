"""LoRA files as other programs write them, from one edit; each under its own program's names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from studio.engine.edits.format import Edit, LowRank

Tensors = dict[str, Tensor]


def lows(edit: Edit) -> list[tuple[str, str, LowRank]]:
    return [(c, path, layer) for c, path, layer in edit.each() if isinstance(layer, LowRank)]


def folded(layer: LowRank) -> Tensor:
    """B with the scale in it: for files that know no alpha."""
    return layer.B * layer.scale


def peft_bare(edit: Edit) -> Tensors:
    """As get_peft_model_state_dict gives it: no component, so for one of them alone."""
    found: Tensors = {}
    for _, path, layer in lows(edit):
        found[f"base_model.model.{path}.lora_A.weight"] = layer.A
        found[f"base_model.model.{path}.lora_B.weight"] = folded(layer)
    return found


def peft_named(edit: Edit) -> Tensors:
    """As in memory, with the adapter's name in the keys."""
    found: Tensors = {}
    for component, path, layer in lows(edit):
        found[f"{component}.{path}.lora_A.default_0.weight"] = layer.A
        found[f"{component}.{path}.lora_B.default_0.weight"] = folded(layer)
    return found


def diffusers_new(edit: Edit) -> Tensors:
    """As save_lora_weights writes it; the text encoder as transformers called it then."""
    found: Tensors = {}
    for component, path, layer in lows(edit):
        start = (
            f"{component}.text_model.{path}.lora_linear_layer" if "text" in component else f"{component}.{path}.lora"
        )
        found[f"{start}.down.weight"], found[f"{start}.up.weight"] = layer.A, folded(layer)
    return found


def diffusers_processors(edit: Edit) -> Tensors:
    """As attention processors were saved before diffusers 0.20; of attention alone."""
    found: Tensors = {}
    for component, path, layer in lows(edit):
        attention, _, last = path.removesuffix(".0").rpartition(".")
        if component == "unet":
            start = f"unet.{attention}.processor.{last}_lora"
        else:
            old = {"q_proj": "to_q", "k_proj": "to_k", "v_proj": "to_v", "out_proj": "to_out"}[last]
            start = f"text_encoder.text_model.{attention}.{old}_lora"
        found[f"{start}.down.weight"], found[f"{start}.up.weight"] = layer.A, folded(layer)
    return found


def kohya(edit: Edit) -> Tensors:
    """As sd-scripts writes it: alphas of their own, linear layers of proj_in as 1 x 1 convolutions."""
    found: Tensors = {}
    for component, path, layer in lows(edit):
        start = {"unet": "lora_unet_", "text_encoder": "lora_te_text_model_"}[component] + path.replace(".", "_")
        ones = (1, 1) if path.endswith(("proj_in", "proj_out")) and layer.A.ndim == 2 else ()
        found[f"{start}.lora_down.weight"] = layer.A.reshape(*layer.A.shape, *ones)
        found[f"{start}.lora_up.weight"] = layer.B.reshape(*layer.B.shape, *ones)
        found[f"{start}.alpha"] = torch.tensor(layer.alpha)
    return found


STYLES: dict[str, Callable[[Edit], Tensors]] = {
    "peft bare": peft_bare,
    "peft named": peft_named,
    "diffusers": diffusers_new,
    "processors": diffusers_processors,
    "kohya": kohya,
}


def write(tensors: Tensors, path: Path, metadata: dict[str, str] | None = None) -> Path:
    save_file(
        {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}, path, metadata
    )
    return path
