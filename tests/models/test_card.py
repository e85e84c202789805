"""The card: sizes and limits out of the configs, and a sentence for what is no such model."""

import json
import shutil
from pathlib import Path

import pytest

from studio.core.errors import AssetError
from studio.models.card import read_card
from tests.tiny_model import CHANNELS, CONTEXT, SCALE, SIZE_PX


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
