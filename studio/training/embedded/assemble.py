"""Weights to a `StableDiffusionPipeline` folder that plain diffusers loads with nothing but the path."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

SUMS = "SHA256SUMS"


def scheduler() -> DPMSolverMultistepScheduler:
    """DPM-Solver++ 2M on the schedule Stencil was trained with, trailing spacing down to zero noise."""
    return DPMSolverMultistepScheduler(
        num_train_timesteps=1000,
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        steps_offset=1,
        solver_order=2,
        final_sigmas_type="zero",
    )


def write_sums(folder: Path) -> None:
    """List the SHA-256 of every file under a folder in `SHA256SUMS`, in the format of sha256sum."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != SUMS)
    rows = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(folder).as_posix()}" for p in files]
    (folder / SUMS).write_text("\n".join(rows) + "\n", encoding="utf-8")


def write_weak(folder: Path, unet: Any, text: Any) -> None:
    """Save a half-trained UNet and the text encoder it was trained with: the bad version that autoguidance needs."""
    unet.to(torch.float16).save_pretrained(folder / "unet")
    text.to(torch.float32).save_pretrained(folder / "text_encoder")
    _tidy(folder)
    write_sums(folder)


def _tidy(folder: Path) -> None:
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)  # safetensors writes files only their owner can read
    for path in folder.rglob("config.json"):
        config = json.loads(path.read_text(encoding="utf-8"))
        if config.pop("_name_or_path", None) is not None:  # where it lay when it was loaded: nobody's business
            path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def pipeline(
    vae: AutoencoderKL, text: CLIPTextModel, unet: UNet2DConditionModel, tokenizer: CLIPTokenizer
) -> StableDiffusionPipeline:
    """The parts as one pipeline, without a safety checker (the world has nothing to check for)."""
    make: Any = StableDiffusionPipeline  # its annotations refuse the parts it accepts
    return make(
        vae=vae,
        text_encoder=text,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def write(folder: Path, vae: Any, text: Any, unet: Any, tokenizer: CLIPTokenizer) -> None:
    """Save the pipeline: VAE and UNet as fp16, the text encoder as fp32.

    Why two dtypes: diffusers loads its own models in float32 unless told otherwise, but transformers loads weights in
    the dtype they were stored in, so an fp16 text encoder would meet a float32 UNet and fail.
    """
    vae, unet = vae.to(torch.float16), unet.to(torch.float16)
    pipeline(vae, text.to(torch.float32), unet, tokenizer).save_pretrained(folder, safe_serialization=True)
    _tidy(folder)
    write_sums(folder)
