"""A family of models that differ in nothing but what they were shown: the base, and others that never met a concept.

What an erasure should come to is a model that has never seen the concept (a gold model; FADE, arXiv:2510.12981). How
far an edited model is from it means something only beside two other distances: that of the model before the edit, and
that of the same training from other first weights. So every member has the same budget, autoencoder, scenes and order
of them, and begins with a text encoder of its own that never read the concept's words.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from studio.core.errors import BadInput
from studio.training.embedded import assemble, denoiser, latents, text
from studio.training.embedded.member import ABOUT, Member
from studio.training.embedded.snapshots import Reporter
from studio.training.embedded.stage import Stage

SNAPSHOT_EVERY = 10_000
FOLDER = "family"


def home_of(work_dir: Path, member: Member) -> Path:
    """Where a member's checkpoints lie."""
    return work_dir / FOLDER / member.name


def train(
    work_dir: Path,
    member: Member,
    stage: Stage,
    shipped_vae: Path,
    out: Path | None = None,
    threads: int = 1,
    shard_size: int = latents.SHARD,
) -> dict[str, Any]:
    """Train a member, or go on with it, and write its model folder.

    stage: of the denoiser, in the member's folder (`home_of`); how long this run may take and how often it is kept.
    shipped_vae: the autoencoder, unless the work folder has one of its own.
    out: the model folder; None: beside its checkpoints.
    Stops after a step when asked to or when time is up, and goes on to the same weights in another run. Raises BadInput
    where a member of that name was begun with other settings.
    """
    home = stage.work_dir
    _agree(home, member)
    torch.set_num_threads(threads)
    vae_folder = latents.standard_vae(work_dir) if (work_dir / "autoencoder").exists() else shipped_vae
    text_stage = replace(stage, name="text")
    if not (stage.folder / "checkpoint.pt").exists():
        with text_stage.stops_between_steps():
            text.train(text_stage, threads=threads, steps=member.text_steps, seed=member.seed, without=member.without)
        if text_stage.paused:
            return {"member": member.name, "finished": False, "samples": 0, "of": member.samples}
    tokenizer = CLIPTokenizer.from_pretrained(home / "text" / "tokenizer")
    codec = text.Codec(tokenizer)
    vae: Any = AutoencoderKL.from_pretrained(vae_folder, torch_dtype=torch.float32)
    folder = write_latents(work_dir / FOLDER / "latents", member, vae, codec, stage.device, threads, shard_size)
    plan = denoiser.Plan(
        batch=member.batch,
        lr=member.lr,
        align=member.align,
        samples=member.samples,
        shards=member.shards,
        seed=member.seed,
        snapshot_every=SNAPSHOT_EVERY,
    )
    reporter = Reporter(vae_folder, home / "text" / "tokenizer")
    with stage.stops_between_steps():
        denoiser.train(stage, plan, home / "text" / "text_encoder", folder, codec.eos, reporter)
    latest, target = stage.folder / "latest", out or home / "model"
    target.mkdir(parents=True, exist_ok=True)
    (target / ABOUT).write_text(
        json.dumps({**member.as_json(), "trained_samples": reporter.samples}, indent=2) + "\n", encoding="utf-8"
    )
    assemble.write(
        target,
        vae,
        CLIPTextModel.from_pretrained(latest / "text_encoder"),
        UNet2DConditionModel.from_pretrained(latest / "unet"),
        tokenizer,
    )
    finished = reporter.samples >= member.samples
    return {
        "member": member.name,
        "finished": finished,
        "samples": reporter.samples,
        "of": member.samples,
        "model": str(target),
    }


def write_latents(
    folder: Path, member: Member, vae: Any, codec: text.Codec, device: str, threads: int, shard_size: int
) -> Path:
    """The scenes that a member is shown, as shards: those of all, and with a concept left out what changes of them."""
    vae.to(device).to(memory_format=torch.channels_last)
    everything = folder / "all"
    target = folder / member.data
    for number in range(member.shards):
        began = time.monotonic()
        latents.write_shard(everything, number, vae, codec, device, shard_size, workers=threads)
        if member.without:
            latents.write_shard_without(
                target, number, everything, member.without, vae, codec, device, shard_size, workers=threads
            )
        if time.monotonic() - began > 1:
            print(f"shard {number}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return target


def _agree(home: Path, member: Member) -> None:
    """Keep what a member was begun with. Raises BadInput where that was something else."""
    path, settings = home / ABOUT, member.as_json()
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        os.replace(temporary, path)
        return
    begun = json.loads(path.read_text(encoding="utf-8"))
    if different := sorted(name for name in settings if settings[name] != begun.get(name)):
        values = ", ".join(f"{name} {begun.get(name)}" for name in different)
        raise BadInput(f"{member.name} was begun with {values}.", "Go on with that, or take another --work-dir.")
