"""`palimpsest train-embedded STAGE`: run one stage, or print the gates."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from transformers import CLIPTextModel, CLIPTokenizer

from studio.core.errors import BadInput
from studio.training.embedded import assemble, autoencoder, denoiser, latents, text
from studio.training.embedded.data import render_all, scene_at
from studio.training.embedded.diagnose import SwapProbe
from studio.training.embedded.stage import Stage

STAGES = ("autoencoder", "judge", "text", "latents", "denoiser", "clip", "assemble", "sheets", "evaluate")


@dataclass
class Reporter:
    """Called at every checkpoint of the denoiser: keeps a snapshot of the averaged weights and the swap diagnostic."""

    vae_folder: Path
    tokenizer_folder: Path
    snapshot_every: int = 60_000
    probe: SwapProbe | None = None

    def __call__(self, training: denoiser.DenoiserTraining) -> None:
        vae = AutoencoderKL.from_pretrained(self.vae_folder)
        if self.probe is None:
            codec = text.Codec(CLIPTokenizer.from_pretrained(self.tokenizer_folder))
            self.probe = SwapProbe.make(vae, codec)
        unet, encoder = averaged(training)
        started = time.monotonic()
        scores = self.probe.score(unet, encoder, training.a.cpu(), training.s.cpu())
        training.stage.say(samples=training.samples, probe_s=time.monotonic() - started, **scores)
        name = f"snapshot_{training.samples // self.snapshot_every * self.snapshot_every:08d}"
        for folder in (training.stage.folder / "latest", training.stage.folder / name):
            if folder.name == "latest" or not folder.exists():
                unet.save_pretrained(folder / "unet")
                encoder.save_pretrained(folder / "text_encoder")


def averaged(training: denoiser.DenoiserTraining) -> tuple[Any, CLIPTextModel]:
    """The denoiser and text encoder with averaged weights, on the CPU in float32."""
    unet = denoiser.build(training.data.latents.shape[1], training.text.config.hidden_size)
    encoder = CLIPTextModel(training.text.config)
    shadow = {name: tensor.cpu() for name, tensor in training.average.state_dict().items()}
    for prefix, module in (("unet.", unet), ("text.", encoder)):
        own = {name.removeprefix(prefix): tensor for name, tensor in shadow.items() if name.startswith(prefix)}
        module.load_state_dict({**module.state_dict(), **own})
    return unet.eval(), encoder.eval()


def standard_vae(work_dir: Path) -> Path:
    """The trained autoencoder with its latents standardised, written once beside it."""
    target = work_dir / "autoencoder" / "standard"
    if not target.exists():
        vae = AutoencoderKL.from_pretrained(work_dir / "autoencoder" / "vae")
        latents.standardise(vae, render_all([scene_at(i, two=0.4) for i in range(512)]))
        vae.save_pretrained(target)
    return target


def _latents(args: argparse.Namespace) -> dict[str, Any]:
    vae = AutoencoderKL.from_pretrained(standard_vae(args.work_dir)).to(args.device)
    vae.to(memory_format=torch.channels_last)
    codec = text.Codec(CLIPTokenizer.from_pretrained(args.work_dir / "text" / "tokenizer"))
    torch.set_num_threads(args.threads)
    for number in range(args.first_shard, args.first_shard + args.shards):
        started = time.monotonic()
        latents.write_shard(args.work_dir / "latents", number, vae, codec, args.device, workers=args.threads)
        print(f"shard {number}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return {"latents": str(args.work_dir / "latents")}


def _denoiser(args: argparse.Namespace) -> dict[str, Any]:
    tokenizer_folder = args.work_dir / "text" / "tokenizer"
    torch.set_num_threads(args.threads)
    stage = Stage("denoiser", args.work_dir, args.minutes, args.device, save_every_s=args.save_every)
    plan = denoiser.Plan(batch=args.batch, lr=args.lr, align=args.align, processes=args.processes)
    denoiser.train(
        stage,
        plan,
        args.work_dir / "text" / "text_encoder",
        args.work_dir / "latents",
        text.Codec(CLIPTokenizer.from_pretrained(tokenizer_folder)).eos,
        Reporter(standard_vae(args.work_dir), tokenizer_folder),
    )
    return {"denoiser": str(stage.folder / "latest")}


def _assemble(args: argparse.Namespace) -> dict[str, Any]:
    latest = args.work_dir / "denoiser" / (args.snapshot or "latest")
    assemble.write(
        args.out,
        AutoencoderKL.from_pretrained(standard_vae(args.work_dir)),
        CLIPTextModel.from_pretrained(latest / "text_encoder"),
        denoiser.UNet2DConditionModel.from_pretrained(latest / "unet"),
        CLIPTokenizer.from_pretrained(args.work_dir / "text" / "tokenizer"),
    )
    size = sum(p.stat().st_size for p in args.out.rglob("*") if p.is_file())
    return {"model": str(args.out), "bytes": size}


def parser() -> argparse.ArgumentParser:
    """Arguments of the verb."""
    out = argparse.ArgumentParser(prog="palimpsest train-embedded", description=__doc__)
    out.add_argument("stage", choices=STAGES)
    out.add_argument("--work-dir", type=Path, default=Path("workspace/training"))
    out.add_argument("--minutes", type=float, default=20.0, help="wall-clock budget of the stage")
    out.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    out.add_argument("--threads", type=int, default=2)
    out.add_argument("--processes", type=int, default=1, help="denoiser: processes with averaged gradients")
    out.add_argument("--batch", type=int, default=32, help="denoiser: batch per process")
    out.add_argument("--lr", type=float, default=1e-3)
    out.add_argument("--align", type=float, default=0.1, help="denoiser: weight of the scene alignment loss")
    out.add_argument("--save-every", type=float, default=240.0, help="seconds between checkpoints")
    out.add_argument("--shards", type=int, default=8, help="latents: how many shards of 5000 scenes")
    out.add_argument("--first-shard", type=int, default=0)
    out.add_argument("--decoder-only", action="store_true", help="autoencoder: freeze the encoder")
    out.add_argument("--snapshot", help="assemble: name of a denoiser snapshot instead of the latest")
    out.add_argument("--out", type=Path, default=Path("assets/models/stencil"))
    out.add_argument("--json", action="store_true")
    return out


def main(argv: Sequence[str]) -> dict[str, Any]:
    """Run the stage that the arguments name; gives what it made, as plain values."""
    args = parser().parse_args(list(argv))
    if args.minutes <= 0:
        raise BadInput(f"--minutes must be above 0, not {args.minutes}.", field="minutes")
    match args.stage:
        case "autoencoder":
            stage = Stage("autoencoder", args.work_dir, args.minutes, args.device)
            made = {"vae": str(autoencoder.train(stage, decoder_only=args.decoder_only, threads=args.threads))}
        case "text":
            stage = Stage("text", args.work_dir, args.minutes, args.device)
            made = {"text": str(text.train(stage, threads=args.threads))}
        case "latents":
            made = _latents(args)
        case "denoiser":
            made = _denoiser(args)
        case _:
            made = _assemble(args)
    if args.json:
        print(json.dumps(made))
    return made
