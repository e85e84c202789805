"""Stable Diffusion 1.x and 2.x, predicting noise or velocity."""

from __future__ import annotations

from torch import Tensor

from studio.models.bundle import Conditioning
from studio.models.families import FAMILIES
from studio.models.latent_diffusion import LatentDiffusion


@FAMILIES.register("StableDiffusionPipeline")
class StableDiffusion(LatentDiffusion):
    """One text encoder, read at its last layer."""

    def embed(self, ids: Tensor) -> Conditioning:
        hidden = self.text_encoder(ids.to(self.device))[0]  # [n, context, D]
        return Conditioning(hidden.to(self.dtype))

    def predict(self, x: Tensor, t: Tensor, cond: Conditioning) -> Tensor:
        return self.unet(x.to(self.dtype), t, encoder_hidden_states=cond.tokens, return_dict=False)[0]
