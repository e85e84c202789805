"""ImageReward: BLIP reads the prompt beside the picture, and an MLP makes a number of it, about N(0, 1) over its data.

The authors ship one state dict; its names are turned into those of transformers' BLIP here. Scores are comparable
within a prompt alone. Source: Xu and others, arXiv:2304.05977, section 2.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import BertTokenizer
from transformers.models.blip.configuration_blip import BlipTextConfig, BlipVisionConfig
from transformers.models.blip.modeling_blip import BlipVisionModel
from transformers.models.blip.modeling_blip_text import BlipTextModel

from studio.core.errors import AssetError
from studio.models import checksums
from studio.training.scorers.base import check
from studio.training.scorers.places import VOCABULARY
from studio.training.scorers.weights import read_weights

MEAN, STD = 0.16717362830052426, 1.0333394966054072  # of scores over the authors' data, in their code
MOST_TOKENS, HEAD_WIDTH = 35, 64
_PIXEL_MEAN, _PIXEL_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_VISION = (
    (r"cls_token", "embeddings.class_embedding"),
    (r"pos_embed", "embeddings.position_embedding"),
    (r"patch_embed\.proj\.", "embeddings.patch_embedding."),
    (r"blocks\.(\d+)\.norm1\.", r"encoder.layers.\1.layer_norm1."),
    (r"blocks\.(\d+)\.norm2\.", r"encoder.layers.\1.layer_norm2."),
    (r"blocks\.(\d+)\.attn\.qkv\.", r"encoder.layers.\1.self_attn.qkv."),
    (r"blocks\.(\d+)\.attn\.proj\.", r"encoder.layers.\1.self_attn.projection."),
    (r"blocks\.(\d+)\.mlp\.", r"encoder.layers.\1.mlp."),
    (r"norm\.", "post_layernorm."),
)


@dataclass(frozen=True, eq=False)
class ImageReward:
    """A Scorer."""

    vision: BlipVisionModel
    text: BlipTextModel
    head: nn.Sequential
    tokenizer: BertTokenizer
    id: str
    name: str = "image_reward"

    def score(self, images: Tensor, prompts: Sequence[str]) -> Tensor:
        """See Scorer. Words beyond 35 tokens are cut, as in the authors' code."""
        check(images, prompts)
        config: Any = self.vision.config
        side = int(config.image_size)
        height, width = images.shape[-2:]
        factor = side / min(height, width)
        sides = (max(side, round(height * factor)), max(side, round(width * factor)))
        x = F.interpolate(images.float(), sides, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
        top, left = ((length - side) // 2 for length in sides)
        x = x[..., top : top + side, left : left + side]
        mean, std = (torch.tensor(values).reshape(1, 3, 1, 1).to(x) for values in (_PIXEL_MEAN, _PIXEL_STD))
        seen: Any = self.vision(pixel_values=(x - mean) / std)
        tokens = self.tokenizer(
            list(prompts), padding="max_length", truncation=True, max_length=MOST_TOKENS, return_tensors="pt"
        )
        read: Any = self.text(
            input_ids=tokens.input_ids,
            attention_mask=tokens.attention_mask,
            encoder_hidden_states=seen.last_hidden_state,
            encoder_attention_mask=torch.ones(seen.last_hidden_state.shape[:2], dtype=torch.long),
        )
        return (self.head(read.last_hidden_state[:, 0].float())[:, 0] - MEAN) / STD


def load(path: Path) -> ImageReward:
    """Load it. Raises AssetError."""
    tokenizer = BertTokenizer(vocab_file=str(path.with_name(VOCABULARY)))
    return scorer_of(read_weights(path), tokenizer, checksums.known_sha256(path), path)


def scorer_of(state: Mapping[str, Tensor], tokenizer: BertTokenizer, id: str, path: Path) -> ImageReward:
    """Build it from the authors' state dict, sizes read from shapes. path: for the sentence. Raises AssetError."""
    try:
        vision = BlipVisionModel(_vision_config(state))
        text = BlipTextModel(_text_config(state), add_pooling_layer=False)
        head = _head(state)
        _fill(vision, {_renamed(name): tensor for name, tensor in _part(state, "blip.visual_encoder.").items()})
        _fill(text, _part(state, "blip.text_encoder."))
        _fill(head, _part(state, "mlp.layers."))
    except (KeyError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise AssetError(f"{path} is not the state dict of ImageReward: {reason}.") from None
    for module in (vision, text, head):
        module.eval().requires_grad_(False)
    return ImageReward(vision, text, head, tokenizer, id)


def _part(state: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    return {name.removeprefix(start): tensor for name, tensor in state.items() if name.startswith(start)}


def _renamed(name: str) -> str:
    for pattern, target in _VISION:
        if re.match(pattern, name):
            return re.sub(f"^{pattern}", target, name)
    return name


def _fill(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Raises RuntimeError where a weight has no value, or a value no weight; the authors' own counters are passed."""
    outcome = module.load_state_dict(dict(tensors), strict=False)
    unknown = [name for name in outcome.unexpected_keys if not name.endswith("position_ids")]
    if outcome.missing_keys or unknown:
        raise RuntimeError(f"{(outcome.missing_keys or unknown)[0]} is of another model")


def _vision_config(state: Mapping[str, Tensor]) -> BlipVisionConfig:
    width, _, patch, _ = state["blip.visual_encoder.patch_embed.proj.weight"].shape
    positions = state["blip.visual_encoder.pos_embed"].shape[1]
    return BlipVisionConfig(
        hidden_size=width,
        intermediate_size=len(state["blip.visual_encoder.blocks.0.mlp.fc1.weight"]),
        num_hidden_layers=_count(state, r"blip\.visual_encoder\.blocks\.(\d+)\."),
        num_attention_heads=width // HEAD_WIDTH,
        image_size=round((positions - 1) ** 0.5) * patch,
        patch_size=patch,
        layer_norm_eps=1e-6,  # of the authors' transformer, not of transformers' default
    )


def _text_config(state: Mapping[str, Tensor]) -> BlipTextConfig:
    vocabulary, width = state["blip.text_encoder.embeddings.word_embeddings.weight"].shape
    return BlipTextConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        encoder_hidden_size=state["blip.text_encoder.encoder.layer.0.crossattention.self.key.weight"].shape[1],
        intermediate_size=len(state["blip.text_encoder.encoder.layer.0.intermediate.dense.weight"]),
        num_hidden_layers=_count(state, r"blip\.text_encoder\.encoder\.layer\.(\d+)\."),
        num_attention_heads=width // HEAD_WIDTH,
        max_position_embeddings=len(state["blip.text_encoder.embeddings.position_embeddings.weight"]),
        is_decoder=True,  # which is what gives its layers eyes for the picture
    )


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    return len({match[1] for name in state if (match := re.match(pattern, name))})


def _head(state: Mapping[str, Tensor]) -> nn.Sequential:
    """Linear layers with nothing in between that counts outside of training, numbered as the authors' are."""
    numbers = sorted({int(name.split(".")[2]) for name in state if name.startswith("mlp.layers.")})
    layers: list[nn.Module] = [nn.Identity() for _ in range(numbers[-1] + 1)]
    for number in numbers:
        outputs, inputs = state[f"mlp.layers.{number}.weight"].shape
        layers[number] = nn.Linear(inputs, outputs)
    return nn.Sequential(*layers)
