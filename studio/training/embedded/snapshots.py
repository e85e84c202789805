"""What a denoiser in training is worth so far: averaged weights to draw with, and how much it uses each word."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from transformers import CLIPTextModel, CLIPTokenizer

from studio.training.embedded.denoiser import DenoiserTraining, build
from studio.training.embedded.diagnose import SwapProbe
from studio.training.embedded.text import Codec


@dataclass
class Reporter:
    """Called at every checkpoint of the denoiser: keeps a snapshot of the averaged weights and the swap diagnostic.

    samples: how many the last checkpoint had behind it.
    """

    vae_folder: Path
    tokenizer_folder: Path
    samples: int = 0
    probe: SwapProbe | None = None

    def __call__(self, training: DenoiserTraining) -> None:
        self.samples = training.samples
        if self.probe is None:
            vae = AutoencoderKL.from_pretrained(self.vae_folder, torch_dtype=torch.float32)
            codec = Codec(CLIPTokenizer.from_pretrained(self.tokenizer_folder))
            self.probe = SwapProbe.make(vae, codec)
        unet, encoder = averaged(training)
        started = time.monotonic()
        scores = self.probe.score(unet, encoder, training.a.cpu(), training.s.cpu())
        training.stage.say(samples=training.samples, probe_s=time.monotonic() - started, **scores)
        every = training.plan.snapshot_every
        name = f"snapshot_{training.samples // every * every:08d}"
        for folder in (training.stage.folder / "latest", training.stage.folder / name):
            if folder.name == "latest" or not folder.exists():
                unet.save_pretrained(folder / "unet")
                encoder.save_pretrained(folder / "text_encoder")


def averaged(training: DenoiserTraining) -> tuple[Any, CLIPTextModel]:
    """The denoiser and text encoder with averaged weights, on the CPU in float32."""
    unet = build(training.data.latents.shape[1], training.text.config.hidden_size)
    encoder = CLIPTextModel(training.text.config)
    shadow = {name: tensor.cpu() for name, tensor in training.average.state_dict().items()}
    for prefix, module in (("unet.", unet), ("text.", encoder)):
        weights = {name.removeprefix(prefix): tensor for name, tensor in shadow.items() if name.startswith(prefix)}
        module.load_state_dict({**module.state_dict(), **weights})
    return unet.eval(), encoder.eval()
