"""A single checkpoint has the layers that its model has once it is loaded, and so takes the same edits as a folder."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import diffusers
import pytest

from studio.engine.edits.layout import layout_at, layout_of_folder
from studio.engine.edits.original import clip_names, clip_path, sgm_names, unet_paths
from studio.models.loading import load_model
from tests.engine.edits.making import layout_of
from tests.ldm_checkpoint import write_checkpoint
from tests.tiny_model import build_once
from tests.tiny_sdxl import build_xl


@pytest.fixture(scope="module", params=["sd", "sdxl"])
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A diffusers folder, and the same as a checkpoint with its configs beside it."""
    base = tmp_path_factory.mktemp(request.param)
    folder = base / "folder"
    if request.param == "sdxl":
        build_xl(folder)
    else:
        shutil.copytree(build_once(tmp_path_factory), folder)
    write_checkpoint(folder, base / "model.safetensors")
    shutil.copytree(folder, base / "model", ignore=shutil.ignore_patterns("*.safetensors"))
    return folder, base / "model.safetensors"


def test_a_checkpoint_has_the_layers_of_its_folder_and_of_the_loaded_model(models: tuple[Path, Path]) -> None:
    folder, checkpoint = models
    found = layout_at(checkpoint).components
    assert found == layout_at(folder).components
    loaded = load_model(checkpoint, name="tiny").components()
    assert found == layout_of({name: loaded[name] for name in found}).components
    assert set(found) == {name for name in loaded if name != "vae"}


def test_layers_that_a_config_leaves_out_are_none(models: tuple[Path, Path], tmp_path: Path) -> None:
    """SD 2.x's checkpoints hold a last layer of their text encoder that the model does not use."""
    folder, checkpoint = models
    shutil.copy(checkpoint, tmp_path / "model.safetensors")
    shutil.copytree(checkpoint.with_suffix(""), tmp_path / "model")
    config = tmp_path / "model" / "text_encoder" / "config.json"
    values = json.loads(config.read_text())
    assert values["num_hidden_layers"] > 1
    config.write_text(json.dumps({**values, "num_hidden_layers": 1}))
    left = layout_at(tmp_path / "model.safetensors").components["text_encoder"]
    whole = layout_of_folder(folder).components["text_encoder"]
    assert left == {path: shape for path, shape in whole.items() if path.split(".")[2:3] in ([], ["0"])}


def test_a_model_may_be_larger_than_any_edit(tmp_path: Path) -> None:
    """SDXL's UNet has 5 GB in half precision, and its checkpoint 7."""
    (tmp_path / "unet").mkdir()
    header = json.dumps(
        {"a.weight": {"dtype": "F16", "shape": [5000, 600_000], "data_offsets": [0, 6 * 10**9]}}
    ).encode()
    with (tmp_path / "unet" / "diffusion_pytorch_model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + 6 * 10**9)  # which takes no room on the disk
    assert layout_of_folder(tmp_path).components == {"unet": {"a": (5000, 600_000)}}


def unets() -> dict[str, Any]:
    library: Any = diffusers
    small: dict[str, Any] = {"sample_size": 8, "norm_num_groups": 4, "attention_head_dim": 4, "cross_attention_dim": 8}
    return {
        "like SD 1.x": library.UNet2DConditionModel(**small, block_out_channels=(8, 8, 16, 16)),
        "one resnet a block": library.UNet2DConditionModel(
            **small,
            block_out_channels=(8, 16),
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        ),
        "like SDXL": library.UNet2DConditionModel(
            **small,
            block_out_channels=(8, 16, 16),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 1, 2),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=4,
            projection_class_embeddings_input_dim=40,
        ),
    }


def test_original_names_and_paths_are_each_others_inverse() -> None:
    for name, unet in unets().items():
        paths = layout_of({"unet": unet}).components["unet"]
        names = sgm_names(paths)
        assert set(names) == set(paths), name
        assert unet_paths(set(names.values())) == {theirs: ours for ours, theirs in names.items()}, name


def test_names_of_open_clip_are_inverse_but_for_the_projections() -> None:
    paths = [f"encoder.layers.{n}.{inner}" for n in (0, 11) for inner in ("mlp.fc1", "mlp.fc2", "self_attn.out_proj")]
    names = clip_names([*paths, "encoder.layers.0.self_attn.q_proj", "text_projection"])
    assert [clip_path(names[path]) for path in paths] == paths and set(names) == set(paths)
    assert clip_path("resblocks.0.attn.in_proj") is None and clip_path("token_embedding") is None


def test_names_that_no_model_has_cost_nothing() -> None:
    names = [
        "input_blocks",
        "input_blocks.x.0.op",
        "output_blocks.9999999999.0.conv",
        "middle_block.7.conv",
        "",
        "a.b.c",
    ]
    assert unet_paths(names) == {} and sgm_names(["up_blocks.9999999999.resnets.0.conv1"]) == {}
