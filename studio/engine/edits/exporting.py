"""Edits as files that other programs read. A file or folder is given as name -> bytes; whoever asks writes it.

peft        <component>/adapter_config.json and adapter_model.safetensors, for PeftModel.from_pretrained
diffusers   one file for pipeline.load_lora_weights, alpha / r folded into B
kohya       one file under kohya's names; one alpha for all layers, or none where every alpha is its rank
comfyui     one file under ComfyUI's own names (`comfyui`), which carries dense changes and biases as they are

For the first three a dense edit goes out as a low-rank form (`factoring`). Each file says in its metadata which edit it
is, what a low-rank form leaves out, layer by layer, and what was measured of the edit. diffusers misreads alphas that
differ between layers (it looks them up under names it has rewritten meanwhile), so none of these files asks that of it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import safetensors.torch
from torch import Tensor

from studio.core.errors import BadInput
from studio.engine.edits.comfyui import alpha_tensor, comfyui_tensors
from studio.engine.edits.factoring import CARRIES_ALL, ENERGY, MAX_EXPORT_RANK, LowRankForm, low_rank_form
from studio.engine.edits.files import own_memory
from studio.engine.edits.format import Edit, LowRank
from studio.engine.edits.keys import kohya_name
from studio.engine.edits.layout import Layout
from studio.engine.edits.manifest import EXPORT_KEY, TEXT_ENCODERS

MAX_REPORT_BYTES = 2 * 1024**2  # within a file's metadata, which its readers hold in memory
Files = dict[str, bytes]
_Layers = dict[str, dict[str, LowRank]]
_OWN = "Share the edit's own file instead, or a merged model."


@dataclass(frozen=True)
class Exported:
    """What an export gives.

    files: name, with folders -> content.
    errors: "component/path" -> |D - B A| / |D| of every dense layer that went out as factors.
    error: the same of all of them together; 0 where nothing is left out.
    """

    files: Files
    errors: Mapping[str, float] = field(default_factory=dict)
    error: float = 0.0


def export(
    edit: Edit,
    style: str,
    max_rank: int = MAX_EXPORT_RANK,
    energy: float = ENERGY,
    *,
    layout: Layout | None = None,
    report: Mapping[str, Any] | None = None,
) -> Exported:
    """Give the files of an edit.

    max_rank, energy: of the low-rank form of a dense edit (`low_rank_form`).
    layout: of the model that it is for; ComfyUI's names follow from it.
    report: what was measured of it, plain JSON; left out where it is too large for a file's metadata.
    Raises BadInput: an unknown style, a mask, biases or a dense edit that the style cannot carry.
    """
    if style not in STYLES:
        raise BadInput(f"There is no export style {style[:60]!r}; there are {', '.join(STYLES)}.", field="style")
    if edit.kind == "mask":
        raise BadInput(f"The mask {edit.name!r} has no form as a LoRA: it depends on the weights it cuts.", _OWN)
    if style == COMFYUI:
        assert layout is not None, "ComfyUI's names follow from the whole model's layout"
        tensors = comfyui_tensors(edit, layout)
        return Exported({"comfyui.safetensors": _packed(manifest_text(edit, style, report), tensors)})
    if edit.has_biases:
        message = f"The edit {edit.name!r} changes biases, which LoRA files for {style} do not carry."
        raise BadInput(message, f"{CARRIES_ALL[:1].upper()}{CARRIES_ALL[1:]}.")
    form = low_rank_form(edit, max_rank, energy)
    manifest = manifest_text(edit, style, report, form if edit.kind == "dense" else None)
    return Exported(_LORAS[style](manifest, form.layers), form.errors, form.error)


# -- peft -----------------------------------------------------------------------------------------------------------


def _peft(manifest: str, layers: _Layers) -> Files:
    files: Files = {"manifest.json": manifest.encode()}
    for component, own_layers in layers.items():
        tensors: dict[str, Tensor] = {}
        for path, layer in own_layers.items():
            tensors[f"base_model.model.{path}.lora_A.weight"] = layer.A
            tensors[f"base_model.model.{path}.lora_B.weight"] = layer.B
        files[f"{component}/adapter_config.json"] = json.dumps(
            _peft_config(own_layers), indent=2, sort_keys=True
        ).encode()
        files[f"{component}/adapter_model.safetensors"] = _packed(manifest, tensors)
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


def _diffusers(manifest: str, layers: _Layers) -> Files:
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
    return {"pytorch_lora_weights.safetensors": _packed(manifest, tensors)}


def _kohya(manifest: str, layers: _Layers) -> Files:
    alpha = _one_alpha([layer for own_layers in layers.values() for layer in own_layers.values()])
    tensors: dict[str, Tensor] = {}
    for component, own_layers in layers.items():
        for path, layer in own_layers.items():
            name = kohya_name(component, path)
            tensors[f"{name}.lora_down.weight"] = layer.A
            tensors[f"{name}.lora_up.weight"] = layer.B if alpha is None else _scaled(layer.B, layer.alpha / alpha)
            if alpha is not None:
                tensors[f"{name}.alpha"] = alpha_tensor(alpha)
    return {"lora.safetensors": _packed(manifest, tensors)}


def _one_alpha(layers: Sequence[LowRank]) -> float | None:
    """The alpha that all layers are written with; None to leave it out, which says B A as it stands."""
    if all(layer.scale == 1 for layer in layers):
        return None
    alphas = {float(layer.alpha) for layer in layers}
    return alphas.pop() if len(alphas) == 1 else max(alphas, key=abs)


_LORAS: Mapping[str, Callable[[str, _Layers], Files]] = {"diffusers": _diffusers, "kohya": _kohya, "peft": _peft}
COMFYUI = "comfyui"
STYLES = (*_LORAS, COMFYUI)


def _scaled(b: Tensor, scale: float) -> Tensor:
    """Float32 unless nothing changes: a product in half precision would be another edit."""
    return b if scale == 1 else b.float() * scale


def _packed(manifest: str, tensors: Mapping[str, Tensor]) -> bytes:
    plain = {name: own_memory(tensor) for name, tensor in tensors.items()}
    return safetensors.torch.save(plain, {EXPORT_KEY: manifest})


def manifest_text(
    edit: Edit, style: str, report: Mapping[str, Any] | None, form: LowRankForm | None = None, **manifest_values: Any
) -> str:
    """What a file says of its edit, one JSON text: several are written in an order that changes from run to run.

    The edit's own manifest but the alphas, which are its own format's; "low_rank", what its factors leave out; and
    "report", what was measured of it. form: of a dense edit that goes out as factors. manifest_values: further values.
    """
    values = edit.manifest().model_dump(mode="json") | {"alphas": {}, "style": style, **manifest_values}
    if form is not None:
        values["low_rank"] = {
            "error": round(form.error, 9),
            "layers": {
                address: {"rank": form.layers[component][path].rank, "error": round(error, 9)}
                for address, error in form.errors.items()
                for component, _, path in (address.partition("/"),)
            },
        }
    if report and len(json.dumps(report)) <= MAX_REPORT_BYTES:
        values["report"] = dict(report)
    return json.dumps(values, sort_keys=True, separators=(",", ":"))
