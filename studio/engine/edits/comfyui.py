"""An edit under ComfyUI's own names: those of its modules, as they stand in the model it has loaded.

    UNet          diffusion_model.ORIGINAL_PATH
    text encoder  text_encoders.clip_l.transformer.text_model.PATH; clip_g for the second of SDXL, clip_h for SD 2.x

with .lora_down.weight, .lora_up.weight and .alpha of a low-rank layer, .diff of a dense one and .diff_b of a bias, all
of them taken as they are: nothing is folded or left out. ORIGINAL_PATH: as `original` has it. Read from ComfyUI:
comfy/lora.py (model_lora_keys_unet, model_lora_keys_clip, load_lora) and comfy_extras/nodes_lora_extract.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from studio.core.errors import BadInput
from studio.engine.edits.format import Dense, Edit, LowRank
from studio.engine.edits.layout import Layout, Shape
from studio.engine.edits.manifest import TEXT_ENCODERS
from studio.engine.edits.original import sgm_names

_WIDTH_OF_H = 1024  # of OpenCLIP's ViT-H, the text encoder of SD 2.x; CLIP's ViT-L has 768


def comfyui_names(layout: Layout) -> dict[tuple[str, str], str]:
    """Give (component, path) -> ComfyUI's name, of every layer of a model that has one."""
    names: dict[tuple[str, str], str] = {}
    for component, shapes in layout.components.items():
        if component == "unet":
            original = sgm_names(shapes)
            names |= {(component, path): f"diffusion_model.{name}" for path, name in original.items()}
        elif component in TEXT_ENCODERS[:2]:
            start = f"text_encoders.clip_{_letter(component, shapes)}.transformer."
            names |= {(component, path): start + _in_clip(path) for path in shapes}
    return names


def comfyui_tensors(edit: Edit, layout: Layout) -> dict[str, Tensor]:
    """Give the tensors of ComfyUI's file. layout: of the model that the edit is for, whole.

    Raises BadInput for an edit with a layer that ComfyUI has no name for.
    """
    names = comfyui_names(layout)
    tensors: dict[str, Tensor] = {}
    for component, path, layer in edit.each():
        name = names.get((component, path))
        if name is None:
            message = f"ComfyUI's name for the layer {component}.{path} is not known."
            raise BadInput(message, "Take the export for diffusers, or for kohya.", field="style")
        if isinstance(layer, LowRank):
            tensors[f"{name}.lora_up.weight"] = layer.B
            tensors[f"{name}.lora_down.weight"] = layer.A
            tensors[f"{name}.alpha"] = alpha_tensor(layer.alpha)
        else:
            assert isinstance(layer, Dense)
            tensors[f"{name}.diff"] = layer.D
        if layer.bias is not None:
            tensors[f"{name}.diff_b"] = layer.bias
    return tensors


def alpha_tensor(alpha: float) -> Tensor:
    """Alpha as a file's tensor: float32, as trainers write it, or float64 where that alone holds it."""
    plain = torch.tensor(alpha, dtype=torch.float32)
    return plain if float(plain) == alpha else torch.tensor(alpha, dtype=torch.float64)


def _letter(component: str, shapes: Mapping[str, Shape]) -> str:
    if component == TEXT_ENCODERS[1]:
        return "g"
    width = next((shape[1] for path, shape in shapes.items() if path.endswith("self_attn.q_proj")), 0)
    return "h" if width == _WIDTH_OF_H else "l"


def _in_clip(path: str) -> str:
    return path if path == "text_projection" else f"text_model.{path}"
