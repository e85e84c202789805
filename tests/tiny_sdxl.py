"""A random StableDiffusionXLPipeline folder: SDXL's own configs with the numbers made small.

Two text encoders of different widths, linear projections, attention in two of three levels with more transformer layers
in the deeper one, and padding of the second tokenizer with another token than the first, as SDXL has it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.tiny_model import CONTEXT, write_tokenizer

XL_SIZE_PX, XL_SCALE, WIDTHS, POOLED = 64, 4, (16, 24), 20


def build_xl(folder: Path) -> None:
    """Write the folder. The weights are random, from a fixed seed."""
    import diffusers
    import torch
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    library: Any = diffusers
    tokenizer = write_tokenizer(folder / "vocabulary")
    second_tokenizer = type(tokenizer).from_pretrained(folder / "vocabulary")
    second_tokenizer.pad_token = "!"
    with torch.random.fork_rng():
        torch.manual_seed(1)
        unet = library.UNet2DConditionModel(
            sample_size=XL_SIZE_PX // XL_SCALE,
            in_channels=4,
            out_channels=4,
            block_out_channels=(8, 16, 16),
            layers_per_block=1,
            norm_num_groups=4,
            cross_attention_dim=sum(WIDTHS),
            attention_head_dim=(2, 4, 4),
            transformer_layers_per_block=(1, 1, 2),
            use_linear_projection=True,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=POOLED + 6 * 8,
        )
        vae = library.AutoencoderKL(
            block_out_channels=(4, 8, 8),
            norm_num_groups=4,
            latent_channels=4,
            sample_size=XL_SIZE_PX,
            scaling_factor=0.5,
            force_upcast=True,
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
        )
        first: Any = CLIPTextModel(_text_config(tokenizer, WIDTHS[0], WIDTHS[0]))
        second: Any = CLIPTextModelWithProjection(_text_config(tokenizer, WIDTHS[1], POOLED))
        with torch.no_grad():  # as initialised, text hardly matters; so that a wrong embedding shows in the picture
            for encoder in (first, second):
                encoder.get_input_embeddings().weight.mul_(50)
    pipeline = library.StableDiffusionXLPipeline(
        vae=vae,
        text_encoder=first,
        text_encoder_2=second,
        tokenizer=tokenizer,
        tokenizer_2=second_tokenizer,
        unet=unet,
        scheduler=library.EulerDiscreteScheduler(
            beta_schedule="scaled_linear",
            beta_start=0.00085,
            beta_end=0.012,
            timestep_spacing="leading",
            steps_offset=1,
        ),
        add_watermarker=False,
    )
    pipeline.save_pretrained(folder)
    for path in (folder / "vocabulary").iterdir():
        path.unlink()
    (folder / "vocabulary").rmdir()


def _text_config(tokenizer: Any, width: int, projection: int) -> Any:
    from transformers import CLIPTextConfig

    size = len(tokenizer.get_vocab())
    return CLIPTextConfig(
        vocab_size=size,
        hidden_size=width,
        intermediate_size=2 * width,
        projection_dim=projection,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=CONTEXT,
        bos_token_id=size - 2,
        eos_token_id=size - 1,
        pad_token_id=size - 1,
    )


def set_config(folder: Path, name: str, **values: object) -> None:
    """Change values of one JSON file of a model folder."""
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **values}), encoding="utf-8")
