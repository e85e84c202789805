"""A model as the denoising loop sees it, whatever family it is of."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn

from studio.diffusion.grid import Grid, model_grid
from studio.diffusion.parameterisation import Parameterisation
from studio.diffusion.schedule import NoiseSchedule
from studio.models import attention
from studio.models.conditioning import Conditioning
from studio.models.preview import PreviewMap
from studio.models.tokens import PromptTokenizer, TokenReport

__all__ = ["Conditioning", "ModelBundle"]

KEPT_PROMPTS = 256  # an embedding of 32 tokens x 192 in float32 is 25 kB, one of SDXL in float16 300 kB


class ModelBundle:
    """One loaded model. Families fill in what is below; nothing of a run is kept here but the cache of prompts.

    name: as in a recipe.
    parameterisation: what the network's output means.
    schedule: the one it was trained with.
    spacing, steps_offset: name of the grid its scheduler config asks for, and where the "leading" ones begin.
    latent_channels: C of the latents [B, C, H, W].
    latent_scale_px: pixels per latent element.
    default_size_px: side of the square it was trained on.
    context: tokens the text encoder reads at once, start and end included.
    overflow: of words beyond that: "cut", as a model that learnt no more wants, or "chunk", read in further chunks.
    weighting: rule for weights on words, None for that of the prompt's dialect.
    model_hash: sha256 over its files, in hex.
    tokenizer: prompts to token ids.
    perturbed_layers: paths in the denoiser that guidance by perturbation works on where nobody says which.
    device, dtype: where and in what the network computes; latents stay in float32 all the same.
    """

    name: str
    parameterisation: Parameterisation
    schedule: NoiseSchedule
    spacing: str
    steps_offset: int = 0
    latent_channels: int
    latent_scale_px: int
    default_size_px: int
    context: int
    overflow: Literal["cut", "chunk"] = "chunk"
    weighting: Literal["a1111", "a1111_no_rescale", "compel", "ignore"] | None = None
    model_hash: str
    perturbed_layers: tuple[str, ...] = attention.MIDDLE
    tokenizer: PromptTokenizer
    device: torch.device
    dtype: torch.dtype

    def __init__(self) -> None:
        self._prompts: OrderedDict[str, Conditioning] = OrderedDict()
        self._prompts_lock = threading.Lock()

    @abstractmethod
    def tokens(self, prompt: str) -> TokenReport:
        """Account for a prompt: how many tokens, what is cut, which words are unknown."""

    @abstractmethod
    def embed(self, ids: Tensor) -> Conditioning:
        """Encode token ids as `tokenizer` gives them: [n, context], start, end and padding included, to n rows."""

    @abstractmethod
    def encode_one(self, prompt: str) -> Conditioning:
        """Encode one prompt to one row on the device. "" gives what the model takes for no prompt at all."""

    @abstractmethod
    def predict(self, x: Tensor, t: Tensor, cond: Conditioning) -> Tensor:
        """Run the network once. x: [B, C, H, W] float32. t: [B], may be fractional. cond: B rows.

        Gives its raw output, of x's shape, in the network's dtype.
        """

    @abstractmethod
    def decode(self, latents: Tensor) -> Tensor:
        """Latents [B, C, H, W] to pictures [B, 3, H*scale, W*scale], float32 in 0..1."""

    @abstractmethod
    def encode_pictures(self, pictures: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] in 0..1 to latents [B, C, H/scale, W/scale], float32; the mode, not a sample."""

    @abstractmethod
    def fit_preview(self) -> PreviewMap:
        """Fit the cheap map from latents to colours."""

    @abstractmethod
    def components(self) -> dict[str, nn.Module]:
        """Give the networks by the names a pipeline folder has for them: unet, vae, text_encoder, ..."""

    @abstractmethod
    def edit_targets(self) -> dict[str, tuple[str, ...]]:
        """Name the layers an edit may change, by group: xattn_kv, xattn, noxattn, attn, ffn, conv, linear, all.

        Each path begins with a component's name: "unet.down_blocks.0..." is the module "down_blocks.0..." of
        components()["unet"]. The same names key the exported LoRA.
        """

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Versions of the libraries whose arithmetic the pictures depend on."""

    def encode(self, prompts: Sequence[str]) -> Conditioning:
        """Encode prompts, a row each. Each alone, so that a prompt's numbers do not depend on its company; cached."""
        return self.stack([self._cached(prompt) for prompt in prompts])

    def stack(self, parts: Sequence[Conditioning]) -> Conditioning:
        """Stack rows, lengthening those of fewer chunks with the encoding of an empty one."""
        if len(parts) == 1:
            return parts[0]
        lengths = {part.tokens.shape[1] for part in parts}
        return Conditioning.cat(parts, self.empty_chunk.tokens if len(lengths) > 1 else None)

    @cached_property
    def empty_chunk(self) -> Conditioning:
        """The encoding of a chunk without words: start, end, padding. Unlike encode_one(""), never zeros."""
        with torch.inference_mode():
            return self.embed(torch.tensor([self.tokenizer.ids("")], device=self.device))

    def forget_prompts(self) -> None:
        """Empty the cache of prompts, as whoever changes a text encoder's weights must."""
        with self._prompts_lock:
            self._prompts.clear()
        self.__dict__.pop("empty_chunk", None)

    def grid(self, steps: int) -> Grid:
        """Give the noise levels the model's own scheduler config asks for. Raises BadInput if it has too few."""
        return model_grid(self.spacing, self.schedule, steps, self.steps_offset)

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

    def _cached(self, prompt: str) -> Conditioning:
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
