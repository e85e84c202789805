"""What a model says of itself in its configs: read without torch, diffusers or the weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.core.errors import AssetError, BadInput
from studio.diffusion.scheduler_config import grid_for, sampler_for
from studio.models.attention import blocks_of


@dataclass(frozen=True)
class Layout:
    """What a pipeline class consists of.

    family: our name for it.
    parts: component -> its class, for the networks.
    tokenizers: one per text encoder, in the same order.
    """

    family: str
    parts: Mapping[str, str]
    tokenizers: tuple[str, ...]

    @property
    def text_encoders(self) -> tuple[str, ...]:
        """Names of the parts that read prompts."""
        return tuple(name for name in self.parts if name.startswith("text_encoder"))


# By the class named in model_index.json. studio.models.families has the code for each.
LAYOUTS: dict[str, Layout] = {
    "StableDiffusionPipeline": Layout(
        "sd",
        {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL", "text_encoder": "CLIPTextModel"},
        ("tokenizer",),
    ),
    "StableDiffusionXLPipeline": Layout(
        "sdxl",
        {
            "unet": "UNet2DConditionModel",
            "vae": "AutoencoderKL",
            "text_encoder": "CLIPTextModel",
            "text_encoder_2": "CLIPTextModelWithProjection",
        },
        ("tokenizer", "tokenizer_2"),
    ),
}
PARAMETERISATIONS = ("epsilon", "v_prediction", "sample")
BETA_SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2")
SPACINGS = ("leading", "linspace", "trailing")
# Of schedulers whose grids we do not have, those that take "linspace" where a config leaves the spacing out.
_LINSPACED = ("DPMSolver", "Euler", "Heun", "LMS", "KDPM2", "UniPC", "DEIS", "SASolver")
_SAMPLER = "dpmpp_2m"


@dataclass(frozen=True)
class ModelCard:
    """A pipeline in numbers.

    folder: where its configs and tokenizers are.
    parameterisation: "epsilon", "v_prediction" or "sample".
    spacing, sampler: names of the grid and the sampler its scheduler config asks for, or what comes nearest.
    latent_channels: C of the latents [B, C, H, W].
    latent_scale_px: pixels per latent element.
    default_size_px: side of the square the model was trained on.
    context: tokens the text encoder reads at once, start and end included.
    scaling: of the autoencoder's latents.
    schedule: keys of NoiseSchedule.from_config.
    pipeline, family: its class in diffusers, and ours: "sd", "sdxl".
    checkpoint: the one file that holds all weights, None where each part has its own.
    steps_offset: where the "leading" spacings begin.
    zero_empty: whether no prompt is told to the network as zeros.
    unet_channels, vae_channels: of their levels, from the finest on; memory estimates rest on them.
    finest_attends: whether the UNet has transformers at the finest level; memory estimates rest on it.
    attention: paths of the denoiser's blocks with self-attention, None where its config does not tell.
    distilled: whether guidance was built into it, so that it has no unconditional prediction to be guided away from.
    guidance_scales: the lowest and the highest scale of plain guidance that leave its pictures whole; no config says
        so, None where it was not measured.
    """

    folder: Path
    parameterisation: str
    spacing: str
    latent_channels: int
    latent_scale_px: int
    default_size_px: int
    context: int
    scaling: float
    schedule: dict[str, Any]
    pipeline: str = "StableDiffusionPipeline"
    checkpoint: Path | None = None
    steps_offset: int = 0
    sampler: str = _SAMPLER
    zero_empty: bool = False
    unet_channels: tuple[int, ...] = field(default=())
    vae_channels: tuple[int, ...] = field(default=())
    finest_attends: bool = False
    attention: tuple[str, ...] | None = None
    distilled: bool = False
    guidance_scales: tuple[float, float] | None = None

    @property
    def layout(self) -> Layout:
        """What the pipeline consists of."""
        return LAYOUTS[self.pipeline]

    @property
    def denoiser(self) -> str:
        """Its kind: "unet" or "transformer"."""
        return "unet" if "unet" in self.layout.parts else "transformer"

    @property
    def family(self) -> str:
        """Our name for the pipeline's kind: "sd" or "sdxl"."""
        return self.layout.family


def read_card(folder: Path) -> ModelCard:
    """Read the configs. Raises AssetError naming the file that is missing, broken, or of another kind of model."""
    index = read_config(folder, "model_index.json")
    layout = _layout(folder, index)
    unet = read_config(folder, "unet/config.json")
    vae = read_config(folder, "vae/config.json")
    texts = [read_config(folder, f"{part}/config.json") for part in layout.text_encoders]
    scheduler = read_config(folder, "scheduler/scheduler_config.json")
    try:
        scale = 2 ** (len(vae["block_out_channels"]) - 1)
        card = ModelCard(
            folder=folder,
            pipeline=index["_class_name"],
            parameterisation=scheduler.get("prediction_type", "epsilon"),
            spacing=_spacing(folder, scheduler),
            steps_offset=int(scheduler.get("steps_offset", 0)),
            sampler=sampler_for(scheduler) or _SAMPLER,
            latent_channels=int(unet["in_channels"]),
            latent_scale_px=scale,
            default_size_px=int(unet["sample_size"]) * scale,
            context=min(int(text["max_position_embeddings"]) for text in texts),
            scaling=float(vae["scaling_factor"]),
            schedule=_schedule(scheduler),
            zero_empty=bool(index.get("force_zeros_for_empty_prompt", layout.family == "sdxl")),
            unet_channels=tuple(int(channels) for channels in unet["block_out_channels"]),
            vae_channels=tuple(int(channels) for channels in vae["block_out_channels"]),
            finest_attends="CrossAttn" in str(unet["down_block_types"][0]),
            attention=blocks_of(unet),
            # LCM's networks are told the scale at every step (arXiv:2310.04378), FLUX's likewise (guidance_embeds).
            distilled=unet.get("time_cond_proj_dim") is not None or bool(unet.get("guidance_embeds")),
        )
        _check(card, scheduler, int(vae["latent_channels"]))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise AssetError(f"A config of the model in {folder} lacks or garbles {error}.") from None
    return card


def _layout(folder: Path, index: Mapping[str, Any]) -> Layout:
    """Find the layout of a pipeline. Raises AssetError for one we do not know, or with a part of another class."""
    pipeline = index.get("_class_name")
    if not isinstance(pipeline, str) or pipeline not in LAYOUTS:
        pipelines = " or ".join(LAYOUTS)
        stated = pipeline if isinstance(pipeline, str) else "nothing known"
        raise AssetError(f"The model in {folder} must be a {pipelines} folder, not {stated[:60]}.")
    layout = LAYOUTS[pipeline]
    for part, part_class in layout.parts.items():
        entry = index.get(part)
        stated = entry[1] if isinstance(entry, list) and len(entry) == 2 else None
        if stated != part_class:
            raise AssetError(f"The {part} of the model in {folder} must be a {part_class}, not {str(stated)[:60]}.")
    return layout


def _spacing(folder: Path, scheduler: Mapping[str, Any]) -> str:
    """Name the grid that a scheduler places; of one that none of ours is, the one nearest to its spacing."""
    name, stated = str(scheduler.get("_class_name", "")), scheduler.get("timestep_spacing")
    if stated is not None and stated not in SPACINGS:
        raise AssetError(f"The model in {folder} spaces its steps as {stated!r}, which is not known.")
    try:
        grid, _ = grid_for({key: value for key, value in scheduler.items() if value is not None})
    except BadInput:
        grid = ""
    if not grid or grid.startswith("flow"):
        return stated or ("linspace" if name.startswith(_LINSPACED) else "leading")
    return grid


def _schedule(scheduler: Mapping[str, Any]) -> dict[str, Any]:
    if scheduler["beta_schedule"] not in BETA_SCHEDULES:
        raise ValueError("beta_schedule")
    schedule: dict[str, Any] = {
        "beta_schedule": scheduler["beta_schedule"],
        "beta_start": float(scheduler["beta_start"]),
        "beta_end": float(scheduler["beta_end"]),
        "num_train_timesteps": int(scheduler["num_train_timesteps"]),
    }
    if schedule["num_train_timesteps"] < 2:
        raise ValueError("num_train_timesteps")
    return {**schedule, "rescale_betas_zero_snr": True} if scheduler.get("rescale_betas_zero_snr") else schedule


def _check(card: ModelCard, scheduler: Mapping[str, Any], vae_channels: int) -> None:
    """Raise AssetError for what would load and then draw noise."""
    if card.parameterisation not in PARAMETERISATIONS:
        parameterisations = ", ".join(PARAMETERISATIONS)
        raise AssetError(
            f"The model in {card.folder} predicts {card.parameterisation!r}, not one of {parameterisations}."
        )
    if scheduler.get("trained_betas") is not None:
        raise AssetError(f"The model in {card.folder} has a noise schedule listed value by value, which is not read.")
    if card.latent_channels != vae_channels:
        message = f"The model in {card.folder} takes {card.latent_channels} channels where its latents have"
        raise AssetError(f"{message} {vae_channels}: it repaints or edits pictures, and cannot draw from text alone.")


def read_config(folder: Path, name: str) -> dict[str, Any]:
    """Read one JSON file of a model folder. Raises AssetError naming it."""
    path = folder / name
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AssetError(f"The model file {path} is missing.", "Restore the folder, or name another model.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise AssetError(f"The model file {path} cannot be read: {str(error).rstrip('.')}.") from None
    if not isinstance(values, dict):
        raise AssetError(f"The model file {path} must hold a JSON object.")
    return values
