"""The card: sizes and limits out of the configs, and a sentence for what is no such model."""

import json
import shutil
from pathlib import Path

import pytest

from studio.core.errors import AssetError
from studio.models.card import LAYOUTS, read_card
from studio.models.single_file import SHIPPED
from tests.tiny_model import CHANNELS, CONTEXT, SCALE, SIZE_PX
from tests.tiny_sdxl import set_config


def test_reads_the_configs(tiny_model: Path) -> None:
    card = read_card(tiny_model)
    assert (card.default_size_px, card.latent_scale_px, card.latent_channels) == (SIZE_PX, SCALE, CHANNELS)
    assert (card.context, card.parameterisation, card.spacing) == (CONTEXT, "v_prediction", "trailing")


@pytest.fixture
def configs(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model", ignore=shutil.ignore_patterns("*.safetensors")))


@pytest.mark.parametrize("name", ["model_index.json", "unet/config.json", "scheduler/scheduler_config.json"])
def test_missing_and_broken_configs_are_named(configs: Path, name: str) -> None:
    (configs / name).write_text("{")
    with pytest.raises(AssetError, match=f"{name} cannot be read"):
        read_card(configs)
    (configs / name).unlink()
    with pytest.raises(AssetError, match=f"{name} is missing"):
        read_card(configs)


def test_another_kind_of_model_is_refused(configs: Path) -> None:
    (configs / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
    with pytest.raises(AssetError, match="not FluxPipeline"):
        read_card(configs)


def test_a_config_without_a_key(configs: Path) -> None:
    (configs / "unet" / "config.json").write_text("{}")
    with pytest.raises(AssetError, match="in_channels"):
        read_card(configs)


@pytest.mark.parametrize(
    ("scheduler", "spacing"),
    [
        ({"_class_name": "PNDMScheduler"}, "leading"),
        ({"_class_name": "DDIMScheduler", "timestep_spacing": "trailing"}, "trailing"),
        ({"_class_name": "EulerDiscreteScheduler"}, "linspace_fractional"),
        ({"_class_name": "DPMSolverMultistepScheduler"}, "linspace_dpm"),
        ({"_class_name": "DPMSolverMultistepScheduler", "use_karras_sigmas": True}, "karras"),
        ({"_class_name": "UniPCMultistepScheduler", "timestep_spacing": "leading"}, "leading_dpm"),
        ({"_class_name": "HeunDiscreteScheduler"}, "linspace"),  # whose grid we have not: the nearest
        ({"_class_name": "LCMScheduler", "timestep_spacing": "trailing"}, "trailing"),
        ({"_class_name": "EulerDiscreteScheduler", "sigma_max": 14.6, "timestep_spacing": "leading"}, "leading"),
        ({"_class_name": "DPMSolverMultistepScheduler", "use_flow_sigmas": True}, "linspace"),
        ({}, "leading"),
    ],
)
def test_a_spacing_left_out_is_the_schedulers_own(configs: Path, scheduler: dict[str, str], spacing: str) -> None:
    keys = {"beta_schedule": "linear", "beta_start": 0.1, "beta_end": 0.2, "num_train_timesteps": 10, "steps_offset": 1}
    (configs / "scheduler" / "scheduler_config.json").write_text(json.dumps({**keys, **scheduler}))
    card = read_card(configs)
    assert (card.spacing, card.steps_offset, card.parameterisation) == (spacing, 1, "epsilon")


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("scheduler/scheduler_config.json", {"prediction_type": "flow"}, "predicts 'flow', not one of"),
        ("scheduler/scheduler_config.json", {"timestep_spacing": "cosy"}, "spaces its steps as 'cosy'"),
        ("scheduler/scheduler_config.json", {"trained_betas": [0.1]}, "listed value by value"),
        ("scheduler/scheduler_config.json", {"beta_schedule": "sigmoid"}, "garbles beta_schedule"),
        ("unet/config.json", {"in_channels": 9}, "takes 9 channels where its latents have 3"),
        ("model_index.json", {"text_encoder": ["transformers", "T5EncoderModel"]}, "must be a CLIPTextModel"),
    ],
)
def test_what_would_load_and_draw_noise_is_refused(
    configs: Path, name: str, values: dict[str, object], says: str
) -> None:
    set_config(configs, name, **values)
    with pytest.raises(AssetError, match=says):
        read_card(configs)


def test_zero_snr_is_part_of_the_schedule(configs: Path) -> None:
    assert "rescale_betas_zero_snr" not in read_card(configs).schedule
    set_config(configs, "scheduler/scheduler_config.json", rescale_betas_zero_snr=True)
    assert read_card(configs).schedule["rescale_betas_zero_snr"] is True


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_shipped_architectures_are_whole(name: str) -> None:
    card = read_card(SHIPPED / name)
    assert card.parameterisation == "epsilon" and (card.spacing, card.steps_offset) == ("leading", 1)
    assert set(LAYOUTS[card.pipeline].parts) == {path.parent.name for path in (SHIPPED / name).glob("*/config.json")}
