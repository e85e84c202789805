"""The embedded model: a diffusers StableDiffusionPipeline folder, with no network needed to load it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import diffusers
import numpy as np
import torch
import transformers
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel

from studio.core.errors import AssetError
from studio.diffusion.parameterisation import Kind
from studio.diffusion.schedule import NoiseSchedule
from studio.models import checksums
from studio.models.bundle import ModelBundle
from studio.models.card import ModelCard, read_card
from studio.models.preview import PreviewMap, fit
from studio.models.tokens import PromptTokenizer, TokenReport
from studio.world.render import render_array
from studio.world.scene import random_scene

# What matters of a load is raised; progress bars for 20 MB and remarks on packages that nobody here needs would only
# get between the lines of a command's own output.
transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()
diffusers.utils.logging.disable_progress_bar()
diffusers.utils.logging.set_verbosity_error()

_FILES = (
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/tokenizer.json",
    "scheduler/scheduler_config.json",
)
_PREVIEW_SCENES = 12
M = TypeVar("M")


class EmbeddedModel(ModelBundle):
    """A UNet, an autoencoder and a CLIP text encoder on one device.

    The autoencoder stays in float32 under fp16, where its activations may overflow; it is 3 % of the work.
    """

    def __init__(
        self,
        name: str,
        card: ModelCard,
        model_hash: str,
        unet: UNet2DConditionModel,
        vae: AutoencoderKL,
        text_encoder: CLIPTextModel,
        tokenizer: PromptTokenizer,
    ) -> None:
        super().__init__()
        self.name = name
        self.card = card
        self.parameterisation = cast("Kind", card.parameterisation)
        self.schedule = NoiseSchedule.from_config(**card.schedule)
        self.spacing = card.spacing
        self.latent_channels = card.latent_channels
        self.latent_scale_px = card.latent_scale_px
        self.default_size_px = card.default_size_px
        self.context = card.context
        self.model_hash = model_hash
        self.device = unet.device
        self.dtype = unet.dtype
        self.unet = unet
        self.vae = vae
        self.text_encoder = text_encoder
        self.tokenizer = tokenizer

    def tokens(self, prompt: str) -> TokenReport:
        return self.tokenizer.report(prompt)

    @torch.inference_mode()
    def encode_one(self, prompt: str) -> Tensor:
        ids = torch.tensor([self.tokenizer.ids(prompt)], device=self.device)  # [1, L]
        return self.text_encoder(ids)[0].to(self.dtype)  # [1, L, D]

    def predict(self, x: Tensor, t: Tensor, cond: Tensor) -> Tensor:
        return self.unet(x.to(self.dtype), t, encoder_hidden_states=cond, return_dict=False)[0]

    def decode(self, latents: Tensor) -> Tensor:
        vae: Any = self.vae  # the library annotates FloatTensor, which no tensor is to a type checker
        decoded = vae.decode(latents.to(vae.dtype) / self.card.scaling, return_dict=False)[0]
        return (decoded.float() / 2 + 0.5).clamp(0, 1)

    @torch.inference_mode()
    def fit_preview(self) -> PreviewMap:
        """Fit on pictures of the world, encoded: that is where this model's latents lie."""
        rng = np.random.default_rng(0)
        scenes = [random_scene(rng, held_out=None) for _ in range(_PREVIEW_SCENES)]
        arrays = np.stack([render_array(scene, self.default_size_px) for scene in scenes])
        pictures = torch.from_numpy(arrays).permute(0, 3, 1, 2).to(self.device, self.vae.dtype)  # [B, 3, H, W]
        latents = self.vae.encode(pictures * 2 - 1).latent_dist.mode() * self.card.scaling  # type: ignore[union-attr]
        return fit(latents, pictures)

    def versions(self) -> dict[str, str]:
        return {
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
            "transformers": transformers.__version__,
        }


def load_stencil(
    model_dir: Path,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    *,
    name: str = "stencil",
    require_checksums: bool = True,
) -> EmbeddedModel:
    """Load the model after checking its files against <model_dir>/SHA256SUMS.

    require_checksums: refuse a folder without that list. Raises AssetError naming the file, and for a wrong checksum
    both; never reads anything but safetensors.
    """
    known = checksums.verify(model_dir, required=require_checksums)
    model_hash = checksums.fingerprint(model_dir, _FILES, known)
    card = read_card(model_dir)
    vae_dtype = torch.float32 if dtype == torch.float16 else dtype
    # The dtype is forced: transformers 5 loads weights in the dtype they are stored in, and fp16 is slow on CPUs.
    unet = _load(UNet2DConditionModel.from_pretrained, model_dir, "unet", torch_dtype=dtype, low_cpu_mem_usage=False)
    vae = _load(AutoencoderKL.from_pretrained, model_dir, "vae", torch_dtype=vae_dtype, low_cpu_mem_usage=False)
    text_encoder = _load(CLIPTextModel.from_pretrained, model_dir, "text_encoder", dtype=dtype)
    for module in (unet, vae, text_encoder):
        module.to(device).eval().requires_grad_(False)
    tokenizer = PromptTokenizer(model_dir, card.context)
    return EmbeddedModel(name, card, model_hash, unet, vae, text_encoder, tokenizer)


def _load(load: Callable[..., Any], model_dir: Path, part: str, **options: Any) -> Any:
    try:
        return load(model_dir, subfolder=part, use_safetensors=True, local_files_only=True, **options)
    except Exception as error:  # OSError, ValueError, RuntimeError, SafetensorError, KeyError: the libraries' choice
        reason = " ".join(str(error).split()).rstrip(".")[:300]
        raise AssetError(f"The model's {part} in {model_dir} cannot be loaded: {reason}.", checksums.RESTORE) from None
