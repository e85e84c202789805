"""The other side: diffusers' recipe for Diffusion-DPO with LoRA, on its own pipeline and peft's layers.

What it does in a step is what examples/research_projects/diffusion_dpo/train_diffusion_dpo.py does: pictures through
the autoencoder, prompts through the text encoder, the network with its adapter, once more without, and AdamW. One
network is in memory: its adapter is switched off for the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from studio.models.embedded import EmbeddedModel  # noqa: F401  # before what follows: it quietens the libraries

from diffusers import DDPMScheduler  # isort: skip
from peft import LoraConfig  # isort: skip


class Recipe:
    """A training as the script has it.

    pipeline: StableDiffusionPipeline, whose UNet is peft's afterwards.
    layers: paths in the UNet.
    prompts, pictures: as studio.training.bench.align.drawn_pairs gives them.
    beta: with a half in front of it, which the script has in the number.
    """

    def __init__(
        self,
        pipeline: Any,
        layers: Sequence[str],
        prompts: Sequence[str],
        pictures: np.ndarray,
        batch: int,
        rank: int,
        lr: float,
        beta: float,
    ) -> None:
        self.unet, self._vae, self._text_encoder = pipeline.unet, pipeline.vae, pipeline.text_encoder
        for part in (self.unet, self._vae, self._text_encoder):
            part.requires_grad_(False)
        config = LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(layers))
        self.unet.add_adapter(config)
        self.unet.train()
        self._parameters = [parameter for parameter in self.unet.parameters() if parameter.requires_grad]
        self._optimiser = torch.optim.AdamW(self._parameters, lr=lr)
        self._rates = torch.optim.lr_scheduler.LambdaLR(self._optimiser, lambda step: 1.0)
        self._schedule: Any = DDPMScheduler.from_config(pipeline.scheduler.config)
        scaled = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 1, 4, 2, 3).float() / 127.5 - 1
        self._pixels = torch.cat([scaled[:, 0], scaled[:, 1]], 1)  # [P, 6, H, W], winner and loser
        tokenizer = pipeline.tokenizer
        ids = tokenizer(list(prompts), padding="max_length", truncation=True, max_length=tokenizer.model_max_length)
        self._ids = torch.tensor(ids["input_ids"])
        self._generator = torch.Generator().manual_seed(1)
        self._batch, self._half_beta = batch, beta / 2

    def step(self) -> float:
        """One step of the optimiser; gives the loss."""
        rows = torch.randint(len(self._ids), (self._batch,), generator=self._generator)
        with torch.no_grad():  # neither of the two learns
            pixels = torch.cat(self._pixels[rows].chunk(2, 1))
            latents = self._vae.encode(pixels).latent_dist.sample() * self._vae.config.scaling_factor
            hidden = self._text_encoder(self._ids[rows])[0].repeat(2, 1, 1)
        noise = torch.randn_like(latents).chunk(2)[0].repeat(2, 1, 1, 1)
        count = int(self._schedule.config["num_train_timesteps"])
        times = torch.randint(0, count, (self._batch,), generator=self._generator).repeat(2)
        noisy = self._schedule.add_noise(latents, noise, times)
        target = noise
        if self._schedule.config["prediction_type"] == "v_prediction":
            target = self._schedule.get_velocity(latents, noise, times)
        loss = self.loss(noisy, times, hidden, target)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimiser.step()
        self._rates.step()
        self._optimiser.zero_grad()
        return float(loss.detach())

    def loss(self, noisy: Tensor, times: Tensor, hidden: Tensor, target: Tensor) -> Tensor:
        """Of 2 B rows, the winners before the losers: [] with its gradient."""
        gap = self._errors(noisy, times, hidden, target)
        self.unet.disable_adapters()
        with torch.no_grad():
            base_gap = self._errors(noisy, times, hidden, target)
        self.unet.enable_adapters()
        return -logsigmoid(self._half_beta * (base_gap - gap)).mean()

    def _errors(self, noisy: Tensor, times: Tensor, hidden: Tensor, target: Tensor) -> Tensor:
        """Winners' mean squared errors minus losers', [B]."""
        errors = (self.unet(noisy, times, hidden).sample.float() - target.float()).square().flatten(1).mean(1)
        winners, losers = errors.chunk(2)
        return winners - losers
