"""What the Stable Diffusion families share: a UNet over the latents of an autoencoder, told of CLIP encodings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import diffusers
import torch
import transformers
from torch import Tensor, nn

from studio.diffusion.parameterisation import Parameterisation
from studio.diffusion.schedule import NoiseSchedule
from studio.models import edit_targets
from studio.models.bundle import Conditioning, ModelBundle
from studio.models.card import ModelCard
from studio.models.preview import PreviewMap, fit, structured_pictures
from studio.models.tokens import PromptTokenizer, TokenReport

# What matters of a load is raised; progress bars for 20 MB and remarks on packages that nobody here needs would only
# get between the lines of a command's own output.
transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()
diffusers.utils.logging.disable_progress_bar()
diffusers.utils.logging.set_verbosity_error()


class LatentDiffusion(ModelBundle):
    """A UNet, an autoencoder and text encoders on one device.

    The autoencoder stays in float32 under fp16, where its activations may overflow.
    """

    def __init__(
        self,
        name: str,
        card: ModelCard,
        model_hash: str,
        parts: Mapping[str, nn.Module],
        tokenizers: Sequence[PromptTokenizer],
    ) -> None:
        """parts: by the names of the card's layout. tokenizers: one per text encoder."""
        super().__init__()
        self.name = name
        self.card = card
        self.parameterisation = cast("Parameterisation", card.parameterisation)
        self.schedule = NoiseSchedule.from_config(**card.schedule)
        self.spacing = card.spacing
        self.steps_offset = card.steps_offset
        self.latent_channels = card.latent_channels
        self.latent_scale_px = card.latent_scale_px
        self.default_size_px = card.default_size_px
        self.context = card.context
        self.model_hash = model_hash
        # Any: what the libraries annotate (FloatTensor, unions of outputs) fits no call of ours.
        self.unet: Any = parts["unet"]
        self.vae: Any = parts["vae"]
        self.text_encoders: tuple[Any, ...] = tuple(parts[part] for part in card.layout.text_encoders)
        self._tokenizers = tuple(tokenizers)
        self.tokenizer = tokenizers[0]
        self.device = self.unet.device
        self.dtype = self.unet.dtype

    def with_parts(self, parts: Mapping[str, nn.Module], model_hash: str) -> LatentDiffusion:
        """Give a model that differs in these parts, by their names in `components`, and shares the others."""
        return type(self)(self.name, self.card, model_hash, {**self.components(), **parts}, self._tokenizers)

    @property
    def text_encoder(self) -> Any:
        """The first text encoder."""
        return self.text_encoders[0]

    def tokens(self, prompt: str) -> TokenReport:
        return self.tokenizer.report(prompt)

    def encode_one(self, prompt: str) -> Conditioning:
        # Ordinary tensors without a graph, even where the caller is in inference mode: they are cached, and training
        # may not save a tensor of inference mode for its backward pass.
        with torch.inference_mode(False), torch.no_grad():
            encoding = self.embed(torch.tensor([self.tokenizer.ids(prompt)], device=self.device))
            if prompt or not self.card.zero_empty:
                return encoding
            zeros = {name: torch.zeros_like(extra) for name, extra in encoding.extras.items()}
            return Conditioning(torch.zeros_like(encoding.tokens), zeros)

    def decode(self, latents: Tensor) -> Tensor:
        latents = latents.to(self.vae.dtype)
        statistics = self._latent_statistics()
        if statistics is None:
            scaled = latents / self.card.scaling
        else:
            scaled = latents * statistics[1] / self.card.scaling + statistics[0]
        decoded = self.vae.decode(scaled, return_dict=False)[0]
        return (decoded.float() / 2 + 0.5).clamp(0, 1)

    def encode_pictures(self, pictures: Tensor) -> Tensor:
        latents = self.vae.encode(pictures.to(self.device, self.vae.dtype) * 2 - 1).latent_dist.mode()
        statistics = self._latent_statistics()
        if statistics is not None:
            latents = (latents - statistics[0]) / statistics[1]
        return (latents * self.card.scaling).float()

    @torch.inference_mode()
    def fit_preview(self) -> PreviewMap:
        """Fit on smooth and flat colours, encoded: the latents a picture's larger shapes have."""
        pictures = structured_pictures(side_px=8 * self.latent_scale_px)
        return fit(self.encode_pictures(pictures), pictures.to(self.device))

    def components(self) -> dict[str, nn.Module]:
        texts = zip(self.card.layout.text_encoders, self.text_encoders, strict=True)
        return {"unet": self.unet, "vae": self.vae, **dict(texts)}

    def edit_targets(self) -> dict[str, tuple[str, ...]]:
        return edit_targets.of_unet(self.unet, prefix="unet")

    def versions(self) -> dict[str, str]:
        return {
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
            "transformers": transformers.__version__,
        }

    def _latent_statistics(self) -> tuple[Tensor, Tensor] | None:
        """Mean and standard deviation of each channel, [1, C, 1, 1]. Nearly all autoencoders have a factor alone."""
        values = [getattr(self.vae.config, name, None) for name in ("latents_mean", "latents_std")]
        if None in values:
            return None
        mean, std = (torch.tensor(value, device=self.device, dtype=self.vae.dtype) for value in values)
        return mean.view(1, -1, 1, 1), std.view(1, -1, 1, 1)
