"""Single checkpoints: the same weights under other names, told apart by their headers, refused where not whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from studio.core.errors import AssetError
from studio.models.card import read_card, read_config
from studio.models.checksums import SUMS_NAME, verify
from studio.models.loading import load_model
from studio.models.single_file import SHIPPED, read_card_of, split
from tests.ldm_checkpoint import Tensors, ldm_names, write_checkpoint
from tests.tiny_sdxl import build_xl

import diffusers  # isort: skip  # after ours, which quieten the libraries
import transformers  # isort: skip
from diffusers.loaders import single_file_utils  # isort: skip


@pytest.fixture(scope="module", params=["sd", "sdxl"])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_model: Path
) -> tuple[Path, Path]:
    """A diffusers folder, and the same as a checkpoint with its configs beside it."""
    base = tmp_path_factory.mktemp(request.param)
    folder = base / "folder"
    if request.param == "sdxl":
        build_xl(folder)
    else:
        shutil.copytree(tiny_model, folder)
    write_checkpoint(folder, base / "model.safetensors")
    shutil.copytree(folder, base / "model", ignore=shutil.ignore_patterns("*.safetensors"))
    return folder, base / "model.safetensors"


def test_a_checkpoint_is_the_same_model(pair: tuple[Path, Path]) -> None:
    folder, checkpoint = (load_model(place, name="tiny") for place in pair)
    for part, module in folder.components().items():
        mine = checkpoint.components()[part].state_dict()
        theirs = module.state_dict()
        assert set(mine) == set(theirs)
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs), part
    first, second = (model.encode(["a red star"]) for model in (folder, checkpoint))
    assert torch.equal(first.tokens, second.tokens)
    assert folder.model_hash != checkpoint.model_hash  # other files


def test_dtype_and_evaluation_mode(pair: tuple[Path, Path]) -> None:
    loaded = load_model(pair[1], dtype=torch.float16, name="tiny")
    dtypes = {part: {p.dtype for p in module.parameters()} for part, module in loaded.components().items()}
    assert dtypes.pop("vae") == {torch.float32}
    assert all(found == {torch.float16} for found in dtypes.values())
    assert not any(module.training for module in loaded.components().values())


def test_parts_share_the_checkpoint_out(pair: tuple[Path, Path]) -> None:
    shares = split(pair[1], ("unet", "vae", "text_encoder"))
    assert all(weights.values > 0 for weights in shares.values())
    names = [name for weights in shares.values() for name in weights.shapes]
    assert len(names) == len(set(names))


def test_a_checkpoint_that_lacks_weights(pair: tuple[Path, Path], tmp_path: Path) -> None:
    tensors = write_checkpoint(pair[0], tmp_path / "model.safetensors")
    del tensors["model.diffusion_model.time_embed.0.weight"]
    save_file(tensors, tmp_path / "model.safetensors")
    shutil.copytree(pair[1].with_suffix(""), tmp_path / "model")
    with pytest.raises(AssetError, match="The unet in .* lacks weights"):
        load_model(tmp_path / "model.safetensors", name="tiny")


# Numbers of weights: UNet, autoencoder, text encoders.
PUBLISHED = {
    "sd1": [859_520_964, 83_653_863, 123_060_480],
    "sdxl": [2_567_463_684, 83_653_863, 123_060_480, 694_659_840],
}

# -- recognition from headers alone ---------------------------------------------------------------------------------

SD1: Tensors = {
    "model.diffusion_model.input_blocks.0.0.weight": torch.zeros(320, 4, 3, 3),
    "first_stage_model.decoder.conv_in.bias": torch.zeros(1),
    "cond_stage_model.transformer.text_model.x": torch.zeros(1),
}
XL: Tensors = {
    **{name: tensor for name, tensor in SD1.items() if not name.startswith("cond")},
    "conditioner.embedders.0.transformer.text_model.x": torch.zeros(1),
    "conditioner.embedders.1.model.x": torch.zeros(1),
}
Save = Callable[[Tensors], Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(tensors: Tensors) -> Path:
        save_file(tensors, tmp_path / "model.safetensors")
        return tmp_path / "model.safetensors"

    return write


def test_configs_ship_with_the_program(save: Save) -> None:
    """So that a checkpoint is all a user has to bring, and nothing is fetched."""
    card = read_card_of(save(SD1))
    assert (card.family, card.parameterisation, card.context, card.default_size_px) == ("sd", "epsilon", 77, 512)
    assert card.folder == SHIPPED / "sd1" and card.checkpoint is not None
    card = read_card_of(save(XL))
    assert (card.family, card.default_size_px, card.zero_empty) == ("sdxl", 1024, True)


@pytest.mark.parametrize(("name", "known_as"), [("sd1", "v1"), ("sdxl", "xl_base")])
def test_shipped_configs_are_those_of_published_checkpoints(name: str, known_as: str) -> None:
    """Without any memory: the networks they describe have the names and shapes by which diffusers knows the model,
    and its converters fill each of them. The numbers of weights are the published ones.
    """
    library: Any = diffusers
    card = read_card(SHIPPED / name)
    with torch.device("meta"):
        unet = library.UNet2DConditionModel.from_config(read_config(SHIPPED / name, "unet/config.json"))
        vae = library.AutoencoderKL.from_config(read_config(SHIPPED / name, "vae/config.json"))
        texts = [
            getattr(transformers, card.layout.parts[part])(
                transformers.CLIPTextConfig.from_pretrained(SHIPPED / name, subfolder=part)
            )
            for part in card.layout.text_encoders
        ]
    whole = ldm_names(unet.state_dict(), vae.state_dict(), [text.state_dict() for text in texts], 2)
    assert single_file_utils.infer_diffusers_model_type(whole) == known_as
    for network, convert in (
        (unet, single_file_utils.convert_ldm_unet_checkpoint),
        (vae, single_file_utils.convert_ldm_vae_checkpoint),
    ):
        found = {key: tensor.shape for key, tensor in convert(whole, network.config).items()}
        assert found == {key: tensor.shape for key, tensor in network.state_dict().items()}
    sizes = [sum(weight.numel() for weight in network.parameters()) for network in (unet, vae, *texts)]
    assert sizes == PUBLISHED[name]


def test_marks_of_velocity_and_zero_snr(save: Save) -> None:
    assert read_card_of(save({**XL, "v_pred": torch.zeros(0)})).parameterisation == "v_prediction"
    card = read_card_of(save({**XL, "v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}))
    assert (card.schedule["rescale_betas_zero_snr"], card.spacing) == (True, "trailing")


def without(tensors: Tensors, prefix: str) -> Tensors:
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(prefix)}


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ({"lora_unet_down.weight": torch.zeros(1)}, "no whole model: it has no denoiser"),
        (without(SD1, "cond"), "no whole model: it has no text encoder"),
        (without(XL, "first_stage"), "no whole model: it has no autoencoder"),
        (
            {**SD1, "model.diffusion_model.input_blocks.0.0.weight": torch.zeros(320, 9, 3, 3)},
            "takes 9 channels .* cannot draw from text alone",
        ),
        (
            {**without(XL, "conditioner"), "conditioner.embedders.0.model.x": torch.zeros(1)},
            "is an SDXL refiner",
        ),
        (
            {**without(SD1, "cond"), "cond_stage_model.model.x": torch.zeros(1)},
            "does not say whether it predicts noise or velocity. Put the configs",
        ),
    ],
)
def test_what_is_refused(save: Save, tensors: Tensors, says: str) -> None:
    with pytest.raises(AssetError, match=says):
        read_card_of(save(tensors))


def test_shipped_files_are_as_listed() -> None:
    listed = verify(SHIPPED, required=True)
    there = {path.relative_to(SHIPPED).as_posix() for path in SHIPPED.rglob("*") if path.is_file()}
    assert set(listed) == there - {SUMS_NAME}
