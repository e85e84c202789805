"""HPS v2 and v2.1: the cosine of a CLIP ViT-H/14 tuned on preferences; about 0.2 to 0.35, tables print it times 100.

The authors ship the state dict of an open_clip model, whose names are turned into those of transformers here. v2 and
v2.1 are not comparable, nor are scores of different prompts. Source: Wu and others, arXiv:2306.09341, section 4.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast

from studio.core.errors import AssetError
from studio.models import checksums, clip_vocabulary
from studio.models.clip import Clip
from studio.training.scorers.agreement import ClipAgreement
from studio.training.scorers.weights import read_weights

_HEAD_WIDTHS = {1280: 80}  # of the picture's half, by its width; 64 else
_IN_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_OUTSIDE = {
    "logit_scale": "logit_scale",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
}
_TRANSPOSED = {"text_projection": "text_projection.weight", "visual.proj": "visual_projection.weight"}
_BLOCK = re.compile(r"(visual\.)?transformer\.resblocks\.(\d+)\.(.+)")


def load(path: Path) -> ClipAgreement:
    """Load it. Raises AssetError."""
    model = model_of(read_weights(path, "state_dict."), path)
    vocabulary, merges = clip_vocabulary.shipped()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=clip_vocabulary.build(vocabulary, merges))
    clip = Clip(model, tokenizer, {}, checksums.known_sha256(path))
    return ClipAgreement("hps_v2", clip, lambda cosine: cosine)


def model_of(state: Mapping[str, Tensor], path: Path) -> CLIPModel:
    """The transformers model of an open_clip state dict, its sizes read from shapes. path: for the sentence.

    Raises AssetError for one of another architecture.
    """
    try:
        model = CLIPModel(_config(state))
        outcome = model.load_state_dict(renamed(state), strict=False)
        lacking = [name for name in outcome.missing_keys if not name.endswith("position_ids")]
    except (KeyError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise AssetError(f"{path} is not the state dict of an open_clip model: {reason}.") from None
    if lacking or outcome.unexpected_keys:
        name = (lacking or list(outcome.unexpected_keys))[0]
        raise AssetError(f"{path} is not the state dict of an open_clip model: {name} is of another.")
    return model


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """open_clip's names to transformers'; the joint projection of an attention becomes three, and what is multiplied
    from the right is transposed. Names it does not know stay.
    """
    tensors: dict[str, Tensor] = {}
    for name, tensor in state.items():
        block = _BLOCK.fullmatch(name)
        if name in _TRANSPOSED:
            tensors[_TRANSPOSED[name]] = tensor.T.contiguous()
        elif block is None:
            tensors[_OUTSIDE.get(name, name)] = tensor
        else:
            half, number, rest = block.groups()
            start = f"{'vision' if half else 'text'}_model.encoder.layers.{number}."
            if rest in ("attn.in_proj_weight", "attn.in_proj_bias"):
                ending = rest.rpartition("_")[2]
                for letter, part in zip("qkv", tensor.chunk(3), strict=True):
                    tensors[f"{start}self_attn.{letter}_proj.{ending}"] = part
            else:
                inner, _, ending = rest.rpartition(".")
                tensors[f"{start}{_IN_BLOCK.get(inner, inner)}.{ending}"] = tensor
    tensors.pop("attn_mask", None)  # open_clip may save its causal mask, which is no weight
    return tensors


def _config(state: Mapping[str, Tensor]) -> CLIPConfig:
    width, _, patch, _ = state["visual.conv1.weight"].shape
    side = round((len(state["visual.positional_embedding"]) - 1) ** 0.5) * patch
    vocabulary, text_width = state["token_embedding.weight"].shape
    blocks = [match.groups() for name in state if (match := _BLOCK.fullmatch(name))]
    layers = {half: len({number for which, number, _ in blocks if which == half}) for half in ("visual.", None)}
    projection = state["text_projection"].shape[1]
    vision: dict[str, Any] = {
        "hidden_size": width,
        "intermediate_size": len(state["visual.transformer.resblocks.0.mlp.c_fc.weight"]),
        "num_hidden_layers": layers["visual."],
        "num_attention_heads": width // _HEAD_WIDTHS.get(width, 64),
        "image_size": side,
        "patch_size": patch,
        "hidden_act": "gelu",
    }
    text: dict[str, Any] = {
        "hidden_size": text_width,
        "intermediate_size": len(state["transformer.resblocks.0.mlp.c_fc.weight"]),
        "num_hidden_layers": layers[None],
        "num_attention_heads": text_width // 64,
        "vocab_size": vocabulary,
        "max_position_embeddings": len(state["positional_embedding"]),
        "eos_token_id": vocabulary - 1,
        "bos_token_id": vocabulary - 2,
        "pad_token_id": vocabulary - 1,
        "hidden_act": "gelu",
    }
    return CLIPConfig(text_config=text, vision_config=vision, projection_dim=projection)
