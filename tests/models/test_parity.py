"""Every family draws what diffusers' own pipeline draws with the same weights, seed and grid: to 1/255."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from studio.core.recipe import GuidanceSpec, Recipe
from studio.diffusion.solvers import SOLVERS
from studio.engine.order import Order
from studio.engine.sampler import sample
from studio.models.latent_diffusion import LatentDiffusion  # before what follows: it quietens the libraries
from studio.models.loading import load_model
from tests.tiny_model import build
from tests.tiny_sdxl import build_xl, set_config

from diffusers import (  # isort: skip
    DDIMScheduler,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
)

SAMPLERS = ("ddim", "dpmpp_2m", "euler")
SD1 = {
    "_class_name": "PNDMScheduler",
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "timestep_spacing": "leading",
    "steps_offset": 1,
}


@pytest.fixture(scope="module", params=["sd-epsilon", "sd-v", "sdxl"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp(request.param)
    if request.param == "sdxl":
        build_xl(made)
    else:
        build(made, "epsilon" if request.param == "sd-epsilon" else "v_prediction")
        set_config(made, "scheduler/scheduler_config.json", **SD1)
        (made / "SHA256SUMS").unlink()
    return made


@pytest.fixture(scope="module")
def bundle(folder: Path) -> LatentDiffusion:
    loaded = load_model(folder, name="tiny")
    assert isinstance(loaded, LatentDiffusion)
    return loaded


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Any:
    loaded = DiffusionPipeline.from_pretrained(folder, local_files_only=True)
    loaded.set_progress_bar_config(disable=True)
    return loaded


def recipe(bundle: LatentDiffusion, **values: object) -> Recipe:
    side = bundle.default_size_px
    start = {"prompt": "a red star", "seed": 5, "width": side, "height": side, "steps": 6, "model": "tiny"}
    return Recipe.load({**start, "guidance": GuidanceSpec(params={"guidance_scale": 4.0}), **values})


def ours(bundle: LatentDiffusion, recipe: Recipe) -> np.ndarray[Any, Any]:
    return next(picture for _, picture in sample(bundle, [Order(recipe)])).astype(int)


def theirs(pipeline: Any, bundle: LatentDiffusion, recipe: Recipe, **more: object) -> np.ndarray[Any, Any]:
    config = pipeline.scheduler.config
    times: dict[str, object] = {"num_inference_steps": recipe.steps}
    match recipe.sampler:
        case "ddim":
            # It clips what it predicts by default, which is meant for pixels and not for latents.
            pipeline.scheduler = DDIMScheduler.from_config(config, clip_sample=False, set_alpha_to_one=True)
        case "euler":
            pipeline.scheduler = EulerDiscreteScheduler.from_config(config)
        case _:
            pipeline.scheduler = DPMSolverMultistepScheduler.from_config(config, final_sigmas_type="zero")
            times = {"timesteps": [int(time) for time in bundle.grid(recipe.steps).timesteps]}  # its own has one more
    made = pipeline(
        recipe.prompt,
        negative_prompt=recipe.negative_prompt or None,
        guidance_scale=4.0,
        generator=torch.Generator().manual_seed(recipe.seed),
        width=recipe.width,
        height=recipe.height,
        output_type="np",
        **times,
        **more,
    )
    return (made.images[0] * 255).round().astype(int)


def apart(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> int:
    assert first.shape == second.shape
    return int(np.abs(first - second).max())


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("negative", ["", "a blue square"])
def test_equals_diffusers(bundle: LatentDiffusion, pipeline: Any, sampler: str, negative: str) -> None:
    if sampler not in SOLVERS.names():
        pytest.skip(f"there is no solver {sampler} yet")
    mine = recipe(bundle, sampler=sampler, negative_prompt=negative)
    assert apart(ours(bundle, mine), theirs(pipeline, bundle, mine)) <= 1


def test_equals_diffusers_at_another_size_with_a_long_prompt(
    bundle: LatentDiffusion, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "overflow", "cut")  # as theirs does; left alone, we read on in further chunks
    mine = recipe(bundle, width=48, height=64, prompt="a red star on zebra " * 9, sampler="ddim")
    assert apart(ours(bundle, mine), theirs(pipeline, bundle, mine)) <= 1


def test_prompts_matter(bundle: LatentDiffusion) -> None:
    """So that parity above is not parity of two constants."""
    base = ours(bundle, recipe(bundle))
    assert apart(base, ours(bundle, recipe(bundle, prompt="a blue square"))) > 2
    assert apart(base, ours(bundle, recipe(bundle, negative_prompt="a blue square"))) > 2
