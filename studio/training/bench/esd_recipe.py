"""The other side: ESD as its authors train it, on diffusers' UNet and scheduler.

What it does in a step is what esd_sd.py of github.com/rohitgandikota/erasing does: one step of fifty at random, the
base's way there from noise under guidance, the base's predictions with the concept and without a prompt, that of the
model that learns, and Adam. What learns is all of cross-attention ("esd-x").
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

WAY_STEPS = 50
WAY_SCALE = 3.0  # of classifier-free guidance on the way
_CROSS_ATTENTION = re.compile(r".*\battn2\b.*")


class Recipe:
    """A training as the script has it.

    pipeline: StableDiffusionPipeline with a DDIM scheduler; its UNet learns.
    prompts: that name the concept, one of them at random in each step; the script is given one alone.
    lr: of Adam.
    eta: strength of the negative guidance (equation 7 of arXiv:2303.07345); the script's number is one more, as it
        takes the concept from itself.
    """

    def __init__(self, pipeline: Any, prompts: Sequence[str], lr: float, eta: float = 1.0, seed: int = 1) -> None:
        self.unet, self._frozen, self._schedule = pipeline.unet, copy.deepcopy(pipeline.unet), pipeline.scheduler
        self._frozen.requires_grad_(False).eval()
        self.unet.requires_grad_(False).eval()
        self.weights = {name: weight for name, weight in self.unet.named_parameters() if _CROSS_ATTENTION.match(name)}
        for weight in self.weights.values():
            weight.requires_grad_(True)
        self._optimiser = torch.optim.Adam(list(self.weights.values()), lr=lr)
        with torch.no_grad():
            hidden, empty = pipeline.encode_prompt(list(prompts), "cpu", 1, do_classifier_free_guidance=True)
        self._hidden, self._empty = hidden.float(), empty[:1].float()  # [P, L, D], [1, L, D]
        self._eta, self._generator = eta, torch.Generator().manual_seed(seed)
        side = self.unet.config.sample_size
        self._shape = (1, self.unet.config.in_channels, side, side)
        self._schedule.set_timesteps(WAY_STEPS)

    @property
    def nbytes(self) -> int:
        """Of what learns."""
        return sum(weight.numel() * weight.element_size() for weight in self.weights.values())

    def step(self) -> float:
        """One step of the optimiser; gives the loss."""
        prompt = int(torch.randint(len(self._hidden), (1,), generator=self._generator))
        stop = int(torch.randint(WAY_STEPS, (1,), generator=self._generator))
        hidden, empty = self._hidden[prompt : prompt + 1], self._empty
        with torch.no_grad():
            x = self.walk(hidden, stop)
            t = self._schedule.timesteps[stop]
            both = self._frozen(x.repeat(2, 1, 1, 1), t, torch.cat([hidden, empty])).sample
            conditional, unconditional = both.chunk(2)
        self._optimiser.zero_grad()
        learning = self.unet(x, t, hidden).sample
        loss = (learning - (unconditional - self._eta * (conditional - unconditional))).square().mean()
        loss.backward()
        self._optimiser.step()
        return float(loss.detach())

    def walk(self, hidden: Tensor, steps: int) -> Tensor:
        """So many steps of a way from noise, [1, C, h, w], of the base."""
        x = torch.randn(self._shape, generator=self._generator) * self._schedule.init_noise_sigma
        both = torch.cat([self._empty, hidden])
        for t in self._schedule.timesteps[:steps]:
            rows = self._schedule.scale_model_input(x.repeat(2, 1, 1, 1), t)
            unconditional, conditional = self._frozen(rows, t, both).sample.chunk(2)
            x = self._schedule.step(unconditional + WAY_SCALE * (conditional - unconditional), t, x).prev_sample
        return x
