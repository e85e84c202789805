"""Single .safetensors checkpoints in the layout of the first Stable Diffusion code, as most models are passed around.

Such a file holds weights alone. Its configs and tokenizer come from the folder beside it that has its name without
".safetensors", if there is one, else from assets/architectures: SD 1.x, SD 2.x and SDXL each have one architecture, and
all share CLIP's vocabulary, so nothing has to be fetched. Needs no torch.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from studio.core.errors import AssetError
from studio.models.card import ModelCard, read_card
from studio.models.weights import Weights, read_weights

SHIPPED = Path(__file__).resolve().parents[2] / "assets" / "architectures"

UNET, VAE = "model.diffusion_model.", "first_stage_model."
# The first and second text encoder, and which architecture has them so.
_TEXT = {
    "sd1": ("cond_stage_model.transformer.",),
    "sd2": ("cond_stage_model.model.",),
    "sdxl": ("conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."),
}
_FIRST_LAYER = UNET + "input_blocks.0.0.weight"  # [channels out, channels in, 3, 3], as the next
_FIRST_OF_DECODER = VAE + "decoder.conv_in.weight"
# Marks that fine-tunes of SDXL carry: they predict velocity; they were trained down to zero signal.
_PREDICTS_V, _ZERO_SNR = "v_pred", "ztsnr"


def read_card_of(checkpoint: Path) -> ModelCard:
    """Read what the checkpoint's header and its configs say. Raises AssetError if it is no whole model of ours."""
    weights = read_weights((checkpoint,))
    architecture = _architecture(checkpoint, weights)
    beside = checkpoint.with_suffix("")
    if (beside / "model_index.json").is_file():
        return replace(read_card(beside), checkpoint=checkpoint)
    if architecture == "sd2":
        message = f"The checkpoint {checkpoint} does not say whether it predicts noise or velocity."
        raise AssetError(message, f"Put the configs of its diffusers version into the folder {beside}.")
    # The shipped configs are of an architecture and not of a model: of samplers they say nothing.
    card = replace(read_card(SHIPPED / architecture), checkpoint=checkpoint, sampler=ModelCard.sampler)
    if _PREDICTS_V in weights.shapes:
        card = replace(card, parameterisation="v_prediction")
    if _ZERO_SNR in weights.shapes:
        # Only the trailing spacing begins at the last time, where such a model was trained to see pure noise
        # (arXiv:2305.08891, section 3.3).
        card = replace(card, schedule={**card.schedule, "rescale_betas_zero_snr": True}, spacing="trailing")
    return card


def split(checkpoint: Path, parts: tuple[str, ...]) -> dict[str, Weights]:
    """Give each part's share of the checkpoint. parts: names as in a layout. Raises AssetError."""
    whole = read_weights((checkpoint,))
    prefixes = _prefixes(_architecture(checkpoint, whole))
    return {
        part: replace(
            whole, shapes={name: shape for name, shape in whole.shapes.items() if name.startswith(prefixes[part])}
        )
        for part in parts
    }


def prefixes_of(checkpoint: Path) -> dict[str, str]:
    """Give each part's prefix: what stands before the names of its tensors, which are still in the original spelling.

    Raises AssetError.
    """
    return _prefixes(_architecture(checkpoint, read_weights((checkpoint,))))


def _prefixes(architecture: str) -> dict[str, str]:
    texts = dict(zip(("text_encoder", "text_encoder_2"), _TEXT[architecture], strict=False))
    return {"unet": UNET, "vae": VAE, **texts}


def _architecture(checkpoint: Path, weights: Weights) -> str:
    """Tell "sd1", "sd2" and "sdxl" by their text encoders. Raises AssetError for what is none or not whole."""

    def has(prefix: str) -> bool:
        return any(name.startswith(prefix) for name in weights.shapes)

    if not has(UNET):
        raise AssetError(f"The file {checkpoint} is no whole model: it has no denoiser under {UNET}*.")
    if has("conditioner.embedders.0.model."):
        raise AssetError(f"The checkpoint {checkpoint} is an SDXL refiner, which cannot draw from text alone.")
    architectures = [name for name, prefixes in _TEXT.items() if all(has(prefix) for prefix in prefixes)]
    missing = [part for part, present in (("text encoder", architectures), ("autoencoder", has(VAE))) if not present]
    if missing:
        raise AssetError(f"The checkpoint {checkpoint} is no whole model: it has no {missing[0]}.")
    unet_channels, latent_channels = (
        weights.shapes.get(layer, (0, 4))[1] for layer in (_FIRST_LAYER, _FIRST_OF_DECODER)
    )
    if unet_channels != latent_channels:
        message = f"The checkpoint {checkpoint} takes {unet_channels} channels where its latents have {latent_channels}"
        raise AssetError(f"{message}: it repaints or edits pictures, and cannot draw from text alone.")
    return architectures[0]
