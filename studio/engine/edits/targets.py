"""The layers of a live module that edits may change."""

from __future__ import annotations

from torch import nn

from studio.engine.edits.stored import plain_path

Target = nn.Linear | nn.Conv2d
_WRAPPED = "base_layer"  # peft keeps the layer it wraps under this name, and its own beside it
_ADDED = ("lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B", "lora_magnitude_vector", "lora_dropout")


def targets(module: nn.Module) -> dict[str, Target]:
    """Path -> layer: every Linear and every Conv2d of one group and zero padding, by the names edits use.

    A layer that peft has wrapped for training counts under its own path, and what peft added does not count.
    """
    layers: dict[str, Target] = {}
    for name, layer in module.named_modules():
        parts = name.split(".")
        if not isinstance(layer, nn.Linear | nn.Conv2d) or any(part in _ADDED for part in parts):
            continue
        if isinstance(layer, nn.Conv2d) and (layer.groups != 1 or layer.padding_mode != "zeros"):
            continue
        if layer.weight.is_floating_point():  # quantised weights are no place to add to
            layers[plain_path(".".join(part for part in parts if part != _WRAPPED))] = layer
    return layers
