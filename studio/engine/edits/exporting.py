"""Edits as LoRA files that other programs read. A file or folder is given as name -> bytes; whoever asks writes it.

peft        <component>/adapter_config.json and adapter_model.safetensors, for PeftModel.from_pretrained
diffusers   one file for pipeline.load_lora_weights, alpha / r folded into B
kohya       one file under kohya's names, one alpha for all layers

A dense edit is exported where a low-rank form of it is exact, and refused otherwise. Each file says in its metadata
which edit it is. diffusers misreads alphas that differ between layers (it looks them up under names it has rewritten
meanwhile), so none of these files asks that of it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from studio.core.errors import BadInput
from studio.engine.edits.files import own_memory
from studio.engine.edits.format import Dense, Edit, LowRank
from studio.engine.edits.keys import kohya_name
from studio.engine.edits.manifest import EXPORT_KEY, TEXT_ENCODERS

SVD_TOLERANCE = 1e-5  # of |D - B A| / |D|: where float32 rounding ends and a different edit begins
MAX_EXPORT_RANK = 128
Files = dict[str, bytes]
_Layers = dict[str, dict[str, LowRank]]
_OWN = "Share the edit's own file instead."


def export(edit: Edit, style: str, max_rank: int = MAX_EXPORT_RANK) -> Files:
    """Give the files of an edit: name (with folders) -> bytes.

    max_rank: of the low-rank form of a dense edit. Raises BadInput: an unknown style, a mask, biases, a dense edit
    without an exact low-rank form (with what it would leave out).
    """
    if style not in STYLES:
        raise BadInput(f"There is no export style {style[:60]!r}; there are {', '.join(STYLES)}.", field="style")
    return STYLES[style](edit, low_rank_layers(edit, max_rank))


def low_rank_layers(edit: Edit, max_rank: int = MAX_EXPORT_RANK) -> _Layers:
    """Give component -> path -> layer, dense ones by truncated SVD. Raises BadInput as `export` does."""
    if edit.kind == "mask":
        raise BadInput(f"The mask {edit.name!r} has no form as a LoRA: it depends on the weights it cuts.", _OWN)
    if edit.has_biases:
        raise BadInput(f"The edit {edit.name!r} changes biases, which LoRA files of other programs do not carry.", _OWN)
    layers: _Layers = {}
    for component, path, layer in edit.each():
        if isinstance(layer, Dense):
            layer = _factored(edit, f"{component}.{path}", layer, max_rank)
        assert isinstance(layer, LowRank)
        layers.setdefault(component, {})[path] = layer
    return layers


def _factored(edit: Edit, where: str, layer: Dense, max_rank: int) -> LowRank:
    """The smallest B A within SVD_TOLERANCE of D, by singular values (Eckart-Young): B = U S, A = V^T."""
    matrix = layer.D.double().flatten(1)
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    # residual[r] = |D - D_r| / |D|, from the tail of the squared singular values
    tail = torch.cat([s.square().flip(0).cumsum(0).flip(0), torch.zeros(1, dtype=s.dtype)]).sqrt()
    residual = tail / tail[0].clamp_min(torch.finfo(s.dtype).tiny)
    rank = max(1, int((residual > SVD_TOLERANCE).sum()))
    if rank > max_rank:
        message = (
            f"The edit {edit.name!r} is not of low rank: rank {max_rank} would lose "
            f"{100 * float(residual[max_rank]):.2g} % of its change of {where} (rank {rank} is exact)."
        )
        raise BadInput(message, f"Allow a rank of {rank}, or share the edit's own file.", field="max_rank")
    shape = tuple(layer.D.shape)
    a = vh[:rank].float().reshape(rank, *shape[1:])
    b = (u[:, :rank] * s[:rank]).float().reshape(shape[0], rank, *(1,) * (len(shape) - 2))
    return LowRank(a.contiguous(), b.contiguous(), float(rank))


# -- peft -----------------------------------------------------------------------------------------------------------


def _peft(edit: Edit, layers: _Layers) -> Files:
    files: Files = {"manifest.json": _manifest(edit).encode()}
    for component, own_layers in layers.items():
        tensors: dict[str, Tensor] = {}
        for path, layer in own_layers.items():
            tensors[f"base_model.model.{path}.lora_A.weight"] = layer.A
            tensors[f"base_model.model.{path}.lora_B.weight"] = layer.B
        files[f"{component}/adapter_config.json"] = json.dumps(
            _peft_config(own_layers), indent=2, sort_keys=True
        ).encode()
        files[f"{component}/adapter_model.safetensors"] = _packed(edit, tensors)
    return files


def _peft_config(layers: Mapping[str, LowRank]) -> dict[str, Any]:
    """The keys peft needs; those of layers that differ from most go into its patterns, as whole paths."""
    rank = Counter(layer.rank for layer in layers.values()).most_common(1)[0][0]
    alpha = Counter(float(layer.alpha) for layer in layers.values()).most_common(1)[0][0]
    return {
        "peft_type": "LORA",
        "task_type": None,
        "base_model_name_or_path": None,
        "inference_mode": True,
        "bias": "none",
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "lora_dropout": 0.0,
        "use_dora": False,
        "use_rslora": False,
        "r": rank,
        "lora_alpha": alpha,
        "target_modules": sorted(layers),
        "rank_pattern": {f"^{path}": own_layer.rank for path, own_layer in layers.items() if own_layer.rank != rank},
        "alpha_pattern": {
            f"^{path}": float(own_layer.alpha) for path, own_layer in layers.items() if own_layer.alpha != alpha
        },
    }


# -- one file -------------------------------------------------------------------------------------------------------


def _diffusers(edit: Edit, layers: _Layers) -> Files:
    tensors: dict[str, Tensor] = {}
    for component, own_layers in layers.items():
        for path, layer in own_layers.items():
            down, up = "lora_A.weight", "lora_B.weight"
            name = f"{component}.{path}"
            if component in TEXT_ENCODERS:
                # the spelling that diffusers reads whichever layers there are, and every transformers version finds
                down, up = "lora_linear_layer.down.weight", "lora_linear_layer.up.weight"
                name = f"{component}.text_model.{path}"
            tensors[f"{name}.{down}"] = layer.A
            tensors[f"{name}.{up}"] = _scaled(layer.B, layer.scale)
    return {"pytorch_lora_weights.safetensors": _packed(edit, tensors)}


def _kohya(edit: Edit, layers: _Layers) -> Files:
    alphas = {float(layer.alpha) for own_layers in layers.values() for layer in own_layers.values()}
    alpha = alphas.pop() if len(alphas) == 1 else max(alphas, key=abs)
    tensors: dict[str, Tensor] = {}
    for component, own_layers in layers.items():
        for path, layer in own_layers.items():
            name = kohya_name(component, path)
            tensors[f"{name}.lora_down.weight"] = layer.A
            tensors[f"{name}.lora_up.weight"] = _scaled(layer.B, layer.alpha / alpha)
            tensors[f"{name}.alpha"] = torch.tensor(alpha, dtype=torch.float32)
    return {"lora.safetensors": _packed(edit, tensors)}


STYLES: Mapping[str, Callable[[Edit, _Layers], Files]] = {"diffusers": _diffusers, "kohya": _kohya, "peft": _peft}


def _scaled(b: Tensor, scale: float) -> Tensor:
    """Float32 unless nothing changes: a product in half precision would be another edit."""
    return b if scale == 1 else b.float() * scale


def _packed(edit: Edit, tensors: Mapping[str, Tensor]) -> bytes:
    plain = {name: own_memory(tensor) for name, tensor in tensors.items()}
    return safetensors.torch.save(plain, {EXPORT_KEY: _manifest(edit)})


def _manifest(edit: Edit) -> str:
    """What the files say of their edit: all of its manifest but the alphas, which are its own format's."""
    return edit.manifest().model_copy(update={"alphas": {}}).to_json()
