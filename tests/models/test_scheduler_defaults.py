"""A folder whose scheduler config asks for something of its own is drawn so without anybody saying it.

Held against diffusers' scheduler, and its pipeline, from the same folder.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from studio.core.recipe import GuidanceSpec, Recipe
from studio.engine.order import Order
from studio.engine.sampler import sample
from studio.models.files import open_model
from studio.models.loading import load_model
from tests.tiny_model import SIZE_PX

SD: dict[str, Any] = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "steps_offset": 1,  # the pipeline insists, whatever the spacing
}
ZERO_SNR: dict[str, Any] = {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}
DDIM: dict[str, Any] = {**SD, "clip_sample": False, "set_alpha_to_one": True}
LEADING: dict[str, Any] = {"timestep_spacing": "leading"}
TRAILING: dict[str, Any] = {"timestep_spacing": "trailing"}
STEPS = 5

# Scheduler class, its config, and the names of our sampler and grid.
CONFIGS: list[tuple[str, dict[str, Any], str, str]] = [
    ("DDIM", {**DDIM, **TRAILING}, "ddim", "trailing"),
    ("DDIM", {**DDIM, **TRAILING, **ZERO_SNR}, "ddim", "trailing"),
    ("DDIM", {**DDIM, **LEADING, "prediction_type": "v_prediction"}, "ddim", "leading"),
    ("EulerDiscrete", {**SD, **LEADING}, "euler", "leading"),
    ("EulerDiscrete", {**SD, **TRAILING, "prediction_type": "v_prediction"}, "euler", "trailing"),
    ("EulerDiscrete", SD, "euler", "linspace_fractional"),
    ("DPMSolverMultistep", {**SD, **TRAILING}, "dpmpp_2m", "trailing"),
    ("DPMSolverMultistep", {**SD, **LEADING}, "dpmpp_2m", "leading_dpm"),
    ("DPMSolverMultistep", {**SD, "prediction_type": "v_prediction"}, "dpmpp_2m", "linspace_dpm"),
    ("UniPCMultistep", {**SD, **TRAILING}, "unipc", "trailing"),
]
LEVELS: list[tuple[str, dict[str, Any], str, str]] = [
    ("DPMSolverMultistep", {**SD, "use_karras_sigmas": True}, "dpmpp_2m", "karras"),
    (
        "DPMSolverMultistep",
        {**SD, "use_karras_sigmas": True, "algorithm_type": "sde-dpmsolver++"},
        "dpmpp_2m_sde",
        "karras",
    ),
    ("EulerDiscrete", {**SD, "use_karras_sigmas": True}, "euler", "karras"),
    (
        "UniPCMultistep",
        {**SD, "use_exponential_sigmas": True, "prediction_type": "v_prediction"},
        "unipc",
        "exponential",
    ),
]
columns = ("kind", "config", "sampler", "spacing")


def folder_with(tiny_model: Path, tmp_path: Path, kind: str, config: dict[str, Any]) -> tuple[Path, Any]:
    """The small model with another scheduler, and that scheduler."""
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model", ignore=shutil.ignore_patterns("SHA256SUMS")))
    scheduler = getattr(diffusers, f"{kind}Scheduler")(**config)
    scheduler.save_pretrained(folder / "scheduler")
    index = json.loads((folder / "model_index.json").read_text())
    index["scheduler"] = ["diffusers", f"{kind}Scheduler"]
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder, scheduler


@pytest.mark.parametrize(columns, [*CONFIGS, *LEVELS])
def test_the_card_has_what_the_config_says(
    tiny_model: Path, tmp_path: Path, kind: str, config: dict[str, Any], sampler: str, spacing: str
) -> None:
    folder, scheduler = folder_with(tiny_model, tmp_path, kind, config)
    card, bundle = open_model(folder).card, load_model(folder, name="tiny")
    assert (card.sampler, card.spacing) == (sampler, spacing)
    assert card.parameterisation == bundle.parameterisation == config.get("prediction_type", "epsilon")
    torch.testing.assert_close(bundle.schedule.alphas_cumprod.float(), scheduler.alphas_cumprod, rtol=0, atol=1e-7)
    scheduler.set_timesteps(STEPS)
    grid = bundle.grid(STEPS)
    if (kind, config, sampler, spacing) in LEVELS:  # of these theirs rounds the times
        ours = [s / a for a, s in zip(grid.a, grid.s, strict=True)]
        np.testing.assert_allclose(ours, scheduler.sigmas.numpy(), rtol=1e-5)
    else:
        np.testing.assert_allclose(grid.timesteps, scheduler.timesteps.numpy(), rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize(columns, CONFIGS)
def test_and_its_picture_is_the_pipelines(
    tiny_model: Path, tmp_path: Path, kind: str, config: dict[str, Any], sampler: str, spacing: str
) -> None:
    folder, _ = folder_with(tiny_model, tmp_path, kind, config)
    bundle, card = load_model(folder, name="tiny"), open_model(folder).card
    pipeline: Any = diffusers.DiffusionPipeline.from_pretrained(folder, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        "a red star",
        guidance_scale=3.0,
        num_inference_steps=STEPS,
        generator=torch.Generator().manual_seed(5),
        width=SIZE_PX,
        height=SIZE_PX,
        output_type="np",
    ).images[0]
    recipe = Recipe.load({"prompt": "a red star", "seed": 5, "steps": STEPS, "width": SIZE_PX, "height": SIZE_PX})
    guidance = GuidanceSpec(params={"guidance_scale": 3.0})
    recipe = recipe.model_copy(update={"sampler": card.sampler, "guidance": guidance})
    ours = next(picture for _, picture in sample(bundle, [Order(recipe)]))
    assert np.abs(ours.astype(int) - (theirs * 255).round().astype(int)).max() <= 1
