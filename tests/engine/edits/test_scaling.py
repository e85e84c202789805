"""Where a foreign file states its scale: in tensors, in metadata as JSON or plain keys, or in a config beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.core.errors import AssetError
from studio.engine.edits.format import LowRank
from studio.engine.edits.importing import read_lora
from studio.engine.edits.layout import Layout
from tests.engine.edits.foreign import Tensors, write

LAYOUT = Layout({"unet": {"proj_in": (16, 16), "proj_out": (16, 16)}, "text_encoder": {"fc1": (16, 16)}})
RANK = 4


def factors(name: str, rank: int = RANK, pair: tuple[str, str] = ("lora_A", "lora_B")) -> Tensors:
    return {f"{name}.{pair[0]}.weight": torch.ones(rank, 16) / 100, f"{name}.{pair[1]}.weight": torch.ones(16, rank)}


def kohya(name: str, rank: int = RANK) -> Tensors:
    return factors(name, rank, ("lora_down", "lora_up"))


def scales(file: Path) -> dict[str, float]:
    """Of each layer that came in, by its path."""
    return {path: layer.scale for _, path, layer in read_lora(file, LAYOUT, "e").each() if isinstance(layer, LowRank)}


@pytest.mark.parametrize(
    ("metadata", "scale"),
    [
        ({"unet.lora_alpha": "16", "unet.r": "4"}, 4),
        ({"unet.lora_alpha": "16.0"}, 4),
        ({"lora_alpha": "16", "r": "4"}, 4),
        ({"lora_alpha": "16", "lora_rank": "4"}, 4),
        ({"network_alpha": "2", "network_dim": "4"}, 0.5),
        ({"unet.network_alpha": "2"}, 0.5),
        ({"alpha": "8", "rank": "4"}, 2),
        ({"alpha": "8"}, 1),  # says alpha of what
        ({"lora_alpha": "8", "network_alpha": "16"}, 2),
        ({"lora_alpha": "8", "unet.lora_alpha": "16"}, 4),
        ({"text_encoder.lora_alpha": "16"}, 1),
        ({"lora_alpha": "None", "network_alpha": "Dynamic"}, 1),
        ({"lora_alpha": "16", "use_rslora": "True"}, 8),
        ({"unet.lora_alpha": "16", "unet.use_rslora": "false"}, 4),
        ({"lora_adapter_metadata": '{"unet.lora_alpha": 16, "unet.r": 4}', "lora_alpha": "2"}, 4),
        ({"lora_adapter_metadata": '{"unet.r": 4}', "lora_alpha": "2"}, 0.5),
        ({"lora_config": '{"r": 4, "lora_alpha": 16}'}, 4),
        ({"adapter_config": '{"r": 4, "lora_alpha": 16, "alpha_pattern": {"proj_in": 2}}'}, 0.5),
        ({"lora_config": "config.yaml"}, 1),
        ({"network_alphas": '{"unet.proj_in.alpha": 2, "lora_te_fc1": 99}', "lora_alpha": "16"}, 0.5),
        ({"ss_network_alpha": "16", "ss_network_dim": "4"}, 1),  # outlived a conversion by another program
        ({}, 1),
    ],
)
def test_metadata_states_the_scale(tmp_path: Path, metadata: dict[str, str], scale: float) -> None:
    file = write(factors("unet.proj_in"), tmp_path / "x.safetensors", metadata)
    assert scales(file) == {"proj_in": pytest.approx(scale)}
    own = {"unet.proj_in.alpha": torch.tensor(12.0)}
    assert scales(write({**factors("unet.proj_in"), **own}, file, metadata)) == {"proj_in": 3}, "its own tensor says so"


@pytest.mark.parametrize(
    ("metadata", "scale"),
    [
        ({"ss_network_alpha": "16", "ss_network_dim": "4"}, 4),
        ({"ss_network_alpha": "2"}, 0.5),
        ({"ss_network_alpha": "Dynamic", "ss_network_dim": "Dynamic"}, 1),
        ({"ss_network_alpha": "None"}, 1),
        ({"lora_alpha": "8", "ss_network_alpha": "16"}, 2),
    ],
)
def test_what_kohyas_trainer_wrote_is_of_files_in_its_spelling(
    tmp_path: Path, metadata: dict[str, str], scale: float
) -> None:
    assert scales(write(kohya("lora_unet_proj_in"), tmp_path / "x.safetensors", metadata)) == {"proj_in": scale}


def test_a_scale_of_another_rank_is_a_strangers(tmp_path: Path) -> None:
    for metadata in (
        {"lora_alpha": "16", "r": "8"},
        {"unet.lora_alpha": "16", "unet.r": "8"},
        {"network_alpha": "16", "network_dim": "8"},
        {"lora_adapter_metadata": '{"unet.lora_alpha": 16, "unet.r": 8}'},
    ):
        file = write(factors("unet.proj_in"), tmp_path / "x.safetensors", metadata)
        with pytest.raises(
            AssetError, match="comes with alpha 16 for rank 8, and has rank 4: the scale that its author"
        ):
            scales(file)
        said = {"unet.proj_in.alpha": torch.tensor(4.0)}
        assert scales(write({**factors("unet.proj_in"), **said}, file, metadata)) == {"proj_in": 1}


def test_layers_of_other_ranks_go_by_their_own(tmp_path: Path) -> None:
    """As peft has it: alpha / r with the r of the layer, where the file has layers of the stated rank."""
    tensors = {**factors("unet.proj_in"), **factors("unet.proj_out", rank=8)}
    file = write(tensors, tmp_path / "x.safetensors", {"lora_alpha": "16", "r": "4"})
    assert scales(file) == {"proj_in": 4, "proj_out": 2}
    config = {"r": 2, "lora_alpha": 16, "rank_pattern": {"proj_in": 4, "proj_out": 8}}
    assert scales(write(tensors, file, {"lora_config": json.dumps(config)})) == {"proj_in": 4, "proj_out": 2}


def test_each_component_by_its_own(tmp_path: Path) -> None:
    tensors = {**factors("unet.proj_in"), **factors("text_encoder.fc1")}
    metadata = {"unet.lora_alpha": "16", "text_encoder.lora_alpha": "2"}
    assert scales(write(tensors, tmp_path / "x.safetensors", metadata)) == {"proj_in": 4, "fc1": 0.5}


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"lora_alpha": "much"}, "lora_alpha 'much', which is no number"),
        ({"lora_alpha": "nan"}, "lora_alpha nan, which is no number"),
        ({"unet.network_alpha": "inf"}, "lora_alpha inf, which is no number"),
        ({"lora_alpha": "1e9"}, "alpha / rank up to 1000"),
        ({"lora_alpha": "8", "use_dora": "true"}, "says DoRA"),
        ({"lora_alpha": "8", "peft_type": "loha"}, "says 'LOHA'"),
        ({"lora_adapter_metadata": "{"}, "adapter metadata that cannot be read"),
        ({"lora_adapter_metadata": json.dumps([[]] * 60_000)}, "adapter metadata that cannot be read"),
        ({"network_alphas": "[]"}, "adapter metadata that cannot be read"),
        ({"network_alphas": '{"unet.proj_in": "8"}'}, "states the alpha '8' of 'unet.proj_in', which is no number"),
    ],
)
def test_scales_that_are_none_are_refused(tmp_path: Path, metadata: dict[str, str], said: str) -> None:
    file = write(factors("unet.proj_in"), tmp_path / "mine.safetensors", metadata)
    with pytest.raises(AssetError, match=said) as raised:
        scales(file)
    assert "mine.safetensors" in str(raised.value)


def config_beside(folder: Path, **values: Any) -> None:
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "lora_alpha": 16, "r": 4, **values}))


def test_a_config_beside_belongs_to_one_file(tmp_path: Path) -> None:
    config_beside(tmp_path)
    named = write(factors("proj_in"), tmp_path / "adapter_model.safetensors")
    assert scales(named) == {"proj_in": 4}
    other = write(factors("proj_in"), tmp_path / "downloaded.safetensors")
    assert scales(named) == {"proj_in": 4} and scales(other) == {"proj_in": 1}, "the config is of the file peft names"
    named.unlink()
    assert scales(other) == {"proj_in": 4}, "there is but one file it can be of"
    config_beside(tmp_path, r=8)
    with pytest.raises(AssetError, match="alpha 16 for rank 8, and has rank 4"):
        scales(other)
