"""The other side: diffusers' own pipeline on the same weights, with peft's adapters where edits are compared."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch

from studio.core.recipe import Recipe
from studio.engine.edits.format import Edit, LowRank
from studio.engine.sampler import Picture
from studio.guidance import build_method
from studio.models.embedded import EmbeddedModel  # before what follows: it quietens the libraries

from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, StableDiffusionPipeline  # isort: skip
from peft import LoraConfig  # isort: skip
from transformers import CLIPTokenizer  # isort: skip

RANK = 8
LAYERS = {
    "attention": r".*\.(to_q|to_k|to_v|to_out\.0)$",
    "all": r".*\.(to_q|to_k|to_v|to_out\.0|proj_in|proj_out|ff\.net\.0\.proj|ff\.net\.2|conv1|conv2|conv_shortcut)$",
}
_SIZE = 0.02  # of the random factors: a change that is seen and does not ruin the picture


def picture_of(pipeline: Any, recipe: Recipe) -> Picture:
    """One picture by their pipeline, from the prompt to pixels in memory."""
    result = pipeline(
        recipe.prompt,
        negative_prompt=recipe.negative_prompt or None,
        num_inference_steps=recipe.steps,
        guidance_scale=getattr(build_method(recipe.guidance), "guidance_scale", 1.0),
        generator=torch.Generator().manual_seed(recipe.seed),
        width=recipe.width,
        height=recipe.height,
        output_type="np",
    )
    return (result.images[0] * 255).round().astype(np.uint8)


def add_adapters(pipeline: Any, count: int, layers: str) -> list[Edit]:
    """Give their UNet `count` random LoRAs, and the same numbers as edits of ours, unnamed base.

    layers: "attention" or "all". The UNet is peft's afterwards: give it a copy that nobody else uses.
    """
    edits: list[Edit] = []
    generator = torch.Generator().manual_seed(1)
    for number in range(count):
        name = f"bench{number}"
        with warnings.catch_warnings():  # of the second adapter it says that there will be several: so there shall
            warnings.simplefilter("ignore", UserWarning)
            config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=LAYERS[layers])
            pipeline.unet.add_adapter(config, adapter_name=name)
        factors: dict[str, LowRank] = {}
        for path, module in pipeline.unet.named_modules():
            if name in getattr(module, "lora_A", {}):
                a, b = module.lora_A[name].weight, module.lora_B[name].weight
                with torch.no_grad():
                    for factor in (a, b):
                        factor.copy_(_SIZE * torch.randn(factor.shape, generator=generator))
                factors[path] = LowRank(a.detach().clone(), b.detach().clone(), alpha=RANK)
        edits.append(Edit(name=name, kind="lora", layers={"unet": factors}))
    pipeline.unet.requires_grad_(False).eval()
    return edits


def plain_pipeline(model: EmbeddedModel, sampler: str) -> Any:
    """Give diffusers' own pipeline around the same weights, for comparison. sampler: as in a recipe."""
    folder = str(model.card.folder)
    config: Any = DPMSolverMultistepScheduler.load_config(folder, subfolder="scheduler")
    if sampler == "ddim":
        # DDIMScheduler clips what it predicts by default, which is meant for pixels and not for latents.
        scheduler: Any = DDIMScheduler.from_config(config, clip_sample=False, set_alpha_to_one=True)
    else:
        scheduler = DPMSolverMultistepScheduler.from_config(config)
    pipeline = StableDiffusionPipeline(
        vae=model.vae,
        text_encoder=model.text_encoder,
        tokenizer=CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer", local_files_only=True),
        unet=model.unet,
        scheduler=scheduler,
        safety_checker=None,  # type: ignore[arg-type]  # as annotated; the library's own default is None
        feature_extractor=None,  # type: ignore[arg-type]
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
