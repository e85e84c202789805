"""What a model folder says of itself in its configs: read without torch, diffusers or the weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.core.errors import AssetError


@dataclass(frozen=True)
class ModelCard:
    """A diffusers StableDiffusionPipeline folder in numbers.

    parameterisation: "epsilon", "v_prediction" or "sample". spacing: how the schedule places its steps.
    latent_scale_px: pixels per latent element. default_size_px: side of the square the model was trained on.
    context: tokens the text encoder reads, start and end included. scaling: of the autoencoder's latents.
    schedule: keys of NoiseSchedule.from_config.
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


def read_card(folder: Path) -> ModelCard:
    """Read the configs. Raises AssetError naming the file that is missing, broken, or of another kind of model."""
    index = read_config(folder, "model_index.json")
    if index.get("_class_name") != "StableDiffusionPipeline":
        found = index.get("_class_name", "nothing known")
        raise AssetError(f"The model in {folder} must be a StableDiffusionPipeline folder, not {found}.")
    unet = read_config(folder, "unet/config.json")
    vae = read_config(folder, "vae/config.json")
    text = read_config(folder, "text_encoder/config.json")
    scheduler = read_config(folder, "scheduler/scheduler_config.json")
    try:
        scale = 2 ** (len(vae["block_out_channels"]) - 1)
        return ModelCard(
            folder=folder,
            parameterisation=scheduler.get("prediction_type", "epsilon"),
            spacing=scheduler.get("timestep_spacing", "leading"),
            latent_channels=int(unet["in_channels"]),
            latent_scale_px=scale,
            default_size_px=int(unet["sample_size"]) * scale,
            context=int(text["max_position_embeddings"]),
            scaling=float(vae["scaling_factor"]),
            schedule={
                key: scheduler[key] for key in ("beta_schedule", "beta_start", "beta_end", "num_train_timesteps")
            },
        )
    except (KeyError, TypeError, ValueError) as error:
        raise AssetError(f"A config of the model in {folder} lacks or garbles {error}.") from None


def read_config(folder: Path, name: str) -> dict[str, Any]:
    """Read one JSON file of a model folder. Raises AssetError naming it."""
    path = folder / name
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AssetError(f"The model file {path} is missing.", "Restore the folder, or name another model.") from None
    except (OSError, ValueError) as error:
        raise AssetError(f"The model file {path} cannot be read: {str(error).rstrip('.')}.") from None
    if not isinstance(values, dict):
        raise AssetError(f"The model file {path} must hold a JSON object.")
    return values
