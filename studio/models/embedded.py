"""The embedded model: a Stable Diffusion of the procedural world, small enough for any CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from studio.models import attention
from studio.models.loading import load_model
from studio.models.preview import PreviewMap, fit
from studio.models.sd import StableDiffusion
from studio.world.render import render_array
from studio.world.scene import random_scene

_PREVIEW_SCENES = 12


class EmbeddedModel(StableDiffusion):
    """Stencil: as any Stable Diffusion, but its pictures are known before it draws one."""

    overflow = "cut"  # it learnt captions of one chunk and nothing else
    # A1111's rule divides by the mean of the encoding, which lies near 0 here: its weights would be erratic.
    weighting = "compel"
    perturbed_layers = attention.EMBEDDED

    @torch.inference_mode()
    def fit_preview(self) -> PreviewMap:
        """Fit on pictures of the world, encoded: that is where this model's latents lie."""
        rng = np.random.default_rng(0)
        scenes = [random_scene(rng, held_out=None) for _ in range(_PREVIEW_SCENES)]
        arrays = np.stack([render_array(scene, self.default_size_px) for scene in scenes])
        pictures = torch.from_numpy(arrays).permute(0, 3, 1, 2).to(self.device)  # [B, 3, H, W]
        return fit(self.encode_pictures(pictures), pictures)


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
    loaded = load_model(model_dir, device, dtype, name=name, family=EmbeddedModel, require_checksums=require_checksums)
    assert isinstance(loaded, EmbeddedModel)
    return loaded
