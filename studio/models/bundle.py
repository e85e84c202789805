"""A model as the denoising loop sees it, whatever family it is of."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections import OrderedDict
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from studio.diffusion.parameterisation import Kind
from studio.diffusion.schedule import NoiseSchedule
from studio.models.preview import PreviewMap
from studio.models.tokens import TokenReport

KEPT_PROMPTS = 256  # an embedding of 32 tokens x 192 in float32 is 25 kB


class ModelBundle:
    """One loaded model. Families fill in what is below; nothing of a run is kept here but the cache of prompts.

    name: as in a recipe. parameterisation: what the network's output means. schedule: the one it was trained with.
    spacing: name of the grid its scheduler config asks for. latent_channels: C of the latents [B, C, H, W].
    latent_scale_px: pixels per latent element. default_size_px: side of the square it was trained on.
    context: tokens the text encoder reads, start and end included. model_hash: sha256 over its files, in hex.
    device, dtype: where and in what the network computes; latents stay in float32 all the same.
    """

    name: str
    parameterisation: Kind
    schedule: NoiseSchedule
    spacing: str
    latent_channels: int
    latent_scale_px: int
    default_size_px: int
    context: int
    model_hash: str
    device: torch.device
    dtype: torch.dtype

    def __init__(self) -> None:
        self._prompts: OrderedDict[str, Tensor] = OrderedDict()
        self._prompts_lock = threading.Lock()

    @abstractmethod
    def tokens(self, prompt: str) -> TokenReport:
        """Account for a prompt: how many tokens, what is cut, which words are unknown."""

    @abstractmethod
    def encode_one(self, prompt: str) -> Tensor:
        """Encode one prompt: [1, L, D] on the device."""

    @abstractmethod
    def predict(self, x: Tensor, t: Tensor, cond: Tensor) -> Tensor:
        """Run the network once. x: [B, C, H, W] float32. t: [B], may be fractional. cond: [B, L, D].

        Gives its raw output, of x's shape, in the network's dtype.
        """

    @abstractmethod
    def decode(self, latents: Tensor) -> Tensor:
        """Latents [B, C, H, W] to pictures [B, 3, H*scale, W*scale], float32 in 0..1."""

    @abstractmethod
    def fit_preview(self) -> PreviewMap:
        """Fit the cheap map from latents to colours."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Versions of the libraries whose arithmetic the pictures depend on."""

    def encode(self, prompts: list[str]) -> Tensor:
        """Encode prompts: [B, L, D]. Each alone, so that a prompt's numbers do not depend on its company; cached."""
        return torch.cat([self._cached(prompt) for prompt in prompts])

    def forget_prompts(self) -> None:
        """Empty the cache of prompts."""
        with self._prompts_lock:
            self._prompts.clear()

    @cached_property
    def preview_map(self) -> PreviewMap:
        """Latents to colours at a fraction of the autoencoder's cost; fitted when first asked for."""
        return self.fit_preview()

    def made_by(self) -> dict[str, Any]:
        """What goes into a picture's record beside its recipe: enough to say whether another run must be equal."""
        return {
            "model_hash": self.model_hash,
            "device": self.device.type,
            "dtype": str(self.dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "cpu": torch.backends.cpu.get_cpu_capability(),
            **self.versions(),
        }

    def _cached(self, prompt: str) -> Tensor:
        with self._prompts_lock:
            if prompt in self._prompts:
                self._prompts.move_to_end(prompt)
                return self._prompts[prompt]
        encoded = self.encode_one(prompt)
        with self._prompts_lock:
            self._prompts[prompt] = encoded
            while len(self._prompts) > KEPT_PROMPTS:
                self._prompts.popitem(last=False)
        return encoded
