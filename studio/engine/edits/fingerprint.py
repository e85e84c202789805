"""Which weights an edit was made on: a hash of a component."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from studio.engine.edits.format import raw_bytes
from studio.engine.edits.stored import plain_path

# Of a config, what the arithmetic depends on and the weights' shapes do not show. Not all of it: libraries add keys
# with every release, and a fingerprint must outlive their updates.
_DEFINING = (
    "act_fn",
    "attention_head_dim",
    "hidden_act",
    "layer_norm_eps",
    "norm_eps",
    "norm_num_groups",
    "num_attention_heads",
    "upcast_attention",
    "use_linear_projection",
)
_PEFT = ("lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B", "lora_magnitude_vector")


def fingerprint(module: nn.Module, pristine: Mapping[int, Tensor] | None = None) -> str:
    """Hash a component as a base for edits, in hex: its class, the defining part of its config, its weights.

    pristine: id of a parameter -> what to take in its place, for weights that are edited at the moment. Weights count
    as bfloat16, so that one file loaded as float32 and as bfloat16 is one base; and without what peft added.
    """
    config = _config(module)
    defining = {key: config[key] for key in _DEFINING if config.get(key) is not None}
    digest = hashlib.sha256(f"{type(module).__name__} {json.dumps(defining, sort_keys=True, default=str)}\n".encode())
    for name, tensor in _named(module, pristine or {}):
        digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
        digest.update(raw_bytes(tensor.to(torch.bfloat16)))
    return digest.hexdigest()


def _named(module: nn.Module, pristine: Mapping[int, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Parameters by the names that edits use, in the order of those names."""
    parameters: dict[str, Tensor] = {}
    for name, parameter in module.named_parameters():
        parts = name.split(".")
        if not any(part in _PEFT for part in parts):
            plain = plain_path(".".join(part for part in parts if part != "base_layer"))
            parameters[plain] = pristine.get(id(parameter), parameter)
    yield from sorted(parameters.items())


def _config(module: nn.Module) -> dict[str, Any]:
    config: Any = getattr(module, "config", None)
    if config is None:
        return {}
    return dict(config.to_dict() if hasattr(config, "to_dict") else config)
