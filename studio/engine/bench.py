"""Ours against diffusers' own pipeline: the same model, prompt, seed, steps, dtype and threads, in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.engine.config import EngineConfig
from studio.engine.runner import Engine
from studio.engine.sampler import Picture, sample
from studio.guidance import build
from studio.models.embedded import EmbeddedModel  # before what follows: it quietens the libraries

from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, StableDiffusionPipeline  # isort: skip
from transformers import CLIPTokenizer  # isort: skip


@dataclass(frozen=True)
class BenchResult:
    """ratio: median over pairs of their time / ours, above 1 we are faster; ratio_low, ratio_high: its quartiles.

    cpu_ratio: the same of processor time, which other programs on the machine disturb less. max_difference: of any
    channel, 0..255.
    """

    case: str
    pairs: int
    ours_s: float
    theirs_s: float
    ratio: float
    ratio_low: float
    ratio_high: float
    cpu_ratio: float
    max_difference: int
    made_by: dict[str, Any]


def bench_single(
    config: EngineConfig, recipe: Recipe, pairs: int = 7, on_pair: Callable[[int], None] = lambda pair: None
) -> BenchResult:
    """Time one picture, interleaved A-B-A-B, each pair in the other order than the last: a drift of the machine's
    speed then hits both alike.

    Both sides are warmed first; each run goes from the prompt to the picture in memory.
    """
    if pairs < 7:
        raise BadInput(f"A bench needs at least 7 pairs, not {pairs}.", field="pairs")
    engine = Engine(config)
    bundle = engine.bundle(recipe.model)
    assert isinstance(bundle, EmbeddedModel)
    pipeline = plain_pipeline(bundle, recipe.sampler)

    def ours() -> Picture:
        bundle.forget_prompts()  # theirs encodes each time
        return next(picture for _, picture in sample(bundle, [recipe]))

    def theirs() -> Picture:
        made = pipeline(
            recipe.prompt,
            negative_prompt=recipe.negative_prompt or None,
            num_inference_steps=recipe.steps,
            guidance_scale=getattr(build(recipe.guidance), "guidance_scale", 1.0),
            generator=torch.Generator().manual_seed(recipe.seed),
            width=recipe.width,
            height=recipe.height,
            output_type="np",
        )
        return (made.images[0] * 255).round().astype(np.uint8)

    difference = int(np.abs(ours().astype(int) - theirs().astype(int)).max())
    took: dict[str, list[_Took]] = {"ours": [], "theirs": []}
    for pair in range(pairs):
        sides = {"ours": ours, "theirs": theirs}
        for name in sides if pair % 2 == 0 else reversed(sides):
            took[name].append(_time(sides[name]))
        on_pair(pair + 1)
    together = list(zip(took["ours"], took["theirs"], strict=True))
    low, middle, high = statistics.quantiles([their.wall_s / our.wall_s for our, their in together], n=4)
    return BenchResult(
        case="single",
        pairs=pairs,
        ours_s=statistics.median(our.wall_s for our in took["ours"]),
        theirs_s=statistics.median(their.wall_s for their in took["theirs"]),
        ratio=middle,
        ratio_low=low,
        ratio_high=high,
        cpu_ratio=statistics.median(their.cpu_s / our.cpu_s for our, their in together),
        max_difference=difference,
        made_by=bundle.made_by(),
    )


@dataclass(frozen=True)
class _Took:
    wall_s: float
    cpu_s: float


def _time(work: Callable[[], Any]) -> _Took:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return _Took(time.perf_counter() - wall, time.process_time() - cpu)


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
