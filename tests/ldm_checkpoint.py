"""A diffusers folder written as one checkpoint in the names of the first Stable Diffusion code, to test its reading.

The way back from what diffusers' converters do; attention in the autoencoder is by 1 x 1 convolutions there, and the
second text encoder of SDXL has its projections in one matrix.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor, cat

Tensors = dict[str, Tensor]
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_UNET = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
_CLIP_LAYER = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}


def write_checkpoint(folder: Path, checkpoint: Path) -> Tensors:
    """Write the folder's weights to one file; give what was written."""
    layers = json.loads((folder / "unet" / "config.json").read_text(encoding="utf-8"))["layers_per_block"]
    texts = [folder / part / "model.safetensors" for part in ("text_encoder", "text_encoder_2")]
    found = ldm_names(
        load_file(folder / "unet" / "diffusion_pytorch_model.safetensors"),
        load_file(folder / "vae" / "diffusion_pytorch_model.safetensors"),
        [load_file(path) for path in texts if path.exists()],
        layers,
    )
    found = {name: tensor.contiguous().clone() for name, tensor in found.items()}
    save_file(found, checkpoint)
    return found


def ldm_names(unet: Tensors, vae: Tensors, texts: list[Tensors], layers: int) -> Tensors:
    """Give all weights of a model the names of a checkpoint. layers: per block of the UNet."""
    found = {f"model.diffusion_model.{_unet_name(name, layers, unet)}": tensor for name, tensor in unet.items()}
    levels = 1 + max(int(name.split(".")[2]) for name in vae if name.startswith("decoder.up_blocks."))
    for name, tensor in vae.items():
        key = _vae_name(name, levels)
        found[f"first_stage_model.{key}"] = (
            tensor[..., None, None] if ".attn_1." in key and tensor.ndim == 2 else tensor
        )
    prefix = "conditioner.embedders.0.transformer." if len(texts) > 1 else "cond_stage_model.transformer."
    found |= {f"{prefix}text_model.{name.removeprefix('text_model.')}": tensor for name, tensor in texts[0].items()}
    for second in texts[1:]:
        found |= {f"conditioner.embedders.1.model.{name}": tensor for name, tensor in _open_clip(second).items()}
    return found


def _unet_name(name: str, layers: int, unet: Tensors) -> str:
    for theirs, ldm in _UNET.items():
        if name.startswith(theirs + "."):
            return name.replace(theirs, ldm)
    parsed = re.fullmatch(
        r"(down|mid|up)_blocks?(?:\.(\d+))?\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)", name
    )
    assert parsed is not None, name
    side, block, kind, layer, rest = parsed.groups()
    block, layer = int(block or 0), int(layer)
    if kind == "resnets":
        part, _, leaf = rest.rpartition(".")
        rest = f"{_RESNET[part]}.{leaf}"
    if side == "mid":
        return f"middle_block.{2 * layer if kind == 'resnets' else 1}.{rest}"
    if kind == "downsamplers":
        return f"input_blocks.{(block + 1) * (layers + 1)}.0.{rest.replace('conv', 'op')}"
    if kind == "upsamplers":
        attends = any(other.startswith(f"up_blocks.{block}.attentions.") for other in unet)
        return f"output_blocks.{(block + 1) * (layers + 1) - 1}.{2 if attends else 1}.{rest}"
    place = 0 if kind == "resnets" else 1
    if side == "down":
        return f"input_blocks.{1 + block * (layers + 1) + layer}.{place}.{rest}"
    return f"output_blocks.{block * (layers + 1) + layer}.{place}.{rest}"


def _vae_name(name: str, levels: int) -> str:
    name = re.sub(r"down_blocks\.(\d+)\.resnets\.(\d+)", r"down.\1.block.\2", name)
    name = re.sub(r"up_blocks\.(\d+)\.resnets\.(\d+)", lambda m: f"up.{levels - 1 - int(m[1])}.block.{m[2]}", name)
    name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{levels - 1 - int(m[1])}.upsample", name)
    name = re.sub(r"mid_block\.resnets\.(\d+)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    if "mid_block.attentions.0." in name:
        place, _, rest = name.partition("mid_block.attentions.0.")
        part, _, leaf = rest.rpartition(".")
        return f"{place}mid.attn_1.{_VAE_ATTENTION[part]}.{leaf}"
    return name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")


def _open_clip(second: Tensors) -> Tensors:
    plain = {name.removeprefix("text_model."): tensor for name, tensor in second.items()}
    found: Tensors = {
        "positional_embedding": plain["embeddings.position_embedding.weight"],
        "token_embedding.weight": plain["embeddings.token_embedding.weight"],
        "ln_final.weight": plain["final_layer_norm.weight"],
        "ln_final.bias": plain["final_layer_norm.bias"],
        "text_projection": plain["text_projection.weight"].T,
    }
    for layer in sorted({name.split(".")[2] for name in plain if name.startswith("encoder.layers.")}):
        theirs, ours = f"encoder.layers.{layer}.", f"transformer.resblocks.{layer}."
        for leaf in ("weight", "bias"):
            projections = [plain[f"{theirs}self_attn.{side}_proj.{leaf}"] for side in "qkv"]
            found[f"{ours}attn.in_proj_{leaf}"] = cat(projections)
            found |= {f"{ours}{new}.{leaf}": plain[f"{theirs}{old}.{leaf}"] for old, new in _CLIP_LAYER.items()}
    return found
