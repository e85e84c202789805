"""LoRAs there and back: pictures of a plain pipeline of diffusers with a LoRA, and of the studio with the same one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from studio.core.recipe import EditRef, GuidanceSpec, Recipe
from studio.core.settings import Settings
from studio.engine.bench.reference import LAYERS, picture_of, plain_pipeline  # before what follows: it quietens them
from studio.models.embedded import load_stencil
from studio.services.studio import Studio

from peft import LoraConfig, PeftModel  # isort: skip
from peft.utils import get_peft_model_state_dict  # isort: skip

Pixels = NDArray[np.int16]
RANK, ALPHA = 4, 6  # of different sizes: who drops alpha draws another picture
SCALE = {"attention": 0.3, "all": 0.16}  # of the random factors: a change one sees, of a picture that is still one
SIZES = [
    pytest.param({"width": 64, "height": 64, "steps": 2}, id="64 px"),
    pytest.param({"steps": 20, "sampler": "ddim"}, id="128 px", marks=pytest.mark.slow),
    pytest.param(
        {"width": 96, "height": 128, "steps": 25, "seed": 2**32 - 1}, id="96 x 128 px", marks=pytest.mark.slow
    ),
]


@pytest.fixture(scope="module")
def studio(stencil_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("parity")
    settings = Settings(workspace=folder, model_dir=stencil_dir, device="cpu", threads=1, port=0)
    with Studio(settings, backend="inline") as opened:
        yield opened


@pytest.fixture
def plain(stencil_dir: Path) -> Callable[[Recipe], Any]:
    """Makes diffusers' pipeline for a recipe around weights of its own."""
    return lambda recipe: plain_pipeline(load_stencil(stencil_dir), recipe.sampler)


def drawn(studio: Studio, recipe: Recipe, *edits: str) -> Pixels:
    refs = tuple(EditRef(edit=name) for name in edits)
    (made,) = studio.pictures.draw([recipe.model_copy(update={"edits": refs})])
    with Image.open(made.image_path) as image:
        return np.asarray(image, dtype=np.int16)


def theirs(pipeline: Any, recipe: Recipe) -> Pixels:
    return picture_of(pipeline, recipe).astype(np.int16)


def apart(one: Pixels, other: Pixels) -> int:
    assert one.shape == other.shape
    return int(np.abs(one - other).max())


def recipe_of(values: dict[str, Any]) -> Recipe:
    start = {"prompt": "a red star on a white background", "negative_prompt": "blurry", "seed": 11}
    return Recipe.load({**start, "guidance": GuidanceSpec(params={"guidance_scale": 5.0}), **values})


def add_adapter(unet: Any, layers: str, seed: int) -> None:
    """Wrap a UNet's layers by peft's own means, with random factors: peft begins with B = 0."""
    unet.add_adapter(LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=LAYERS[layers]))
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in unet.named_parameters():
        if "lora_" in name:
            parameter.data = SCALE[layers] * torch.randn(parameter.shape, generator=generator)
    unet.requires_grad_(False).eval()


def save_adapter(pipeline: Any, folder: Path) -> Path:
    """As one network saves its adapter."""
    pipeline.unet.save_lora_adapter(folder, adapter_name="default")
    return folder / "pytorch_lora_weights.safetensors"


def save_weights(pipeline: Any, folder: Path) -> Path:
    """As a pipeline saves the adapters of its networks."""
    pipeline.save_lora_weights(
        folder,
        unet_lora_layers=get_peft_model_state_dict(pipeline.unet),
        unet_lora_adapter_metadata=pipeline.unet.peft_config["default"].to_dict(),
    )
    return folder / "pytorch_lora_weights.safetensors"


# -- what they make, we draw ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", SIZES)
@pytest.mark.parametrize("save", [save_adapter, save_weights])
@pytest.mark.parametrize("layers", LAYERS)
def test_a_lora_of_theirs_draws_the_same_here(
    studio: Studio,
    plain: Callable[[Recipe], Any],
    tmp_path: Path,
    layers: str,
    save: Callable[[Any, Path], Path],
    values: dict[str, Any],
) -> None:
    recipe = recipe_of(values)
    trained = plain(recipe)
    add_adapter(trained.unet, layers, seed=len(layers))
    file = save(trained, tmp_path)
    pipeline = plain(recipe)  # that of a stranger, who has the file alone
    base = theirs(pipeline, recipe)
    if save is save_adapter:
        pipeline.unet.load_lora_adapter(tmp_path, prefix=None, weight_name=file.name)
    else:
        pipeline.load_lora_weights(tmp_path, weight_name=file.name)
    expected = theirs(pipeline, recipe)
    entry = studio.edits.import_file(file, f"{layers} {save.__name__}")
    assert apart(drawn(studio, recipe, entry.id), expected) <= 1
    assert apart(drawn(studio, recipe), base) <= 1
    assert np.abs(expected - base).mean() > 5, "the adapter shows"
    studio.edits.remove(entry.id)


# -- what we export, they draw --------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", SIZES)
@pytest.mark.parametrize("layers", LAYERS)
def test_an_edit_of_ours_draws_the_same_there(
    studio: Studio, plain: Callable[[Recipe], Any], tmp_path: Path, layers: str, values: dict[str, Any]
) -> None:
    recipe = recipe_of(values)
    trained = plain(recipe)
    add_adapter(trained.unet, layers, seed=3)
    entry = studio.edits.import_file(save_weights(trained, tmp_path), f"{layers}, ours")
    ours, base = drawn(studio, recipe, entry.id), drawn(studio, recipe)
    assert np.abs(ours - base).mean() > 5, "the edit shows"

    folder = tmp_path / "peft"
    studio.edits.export(entry.id, "peft", folder)
    pipeline = plain(recipe)
    PeftModel.from_pretrained(pipeline.unet, str(folder / "unet")).eval()  # wraps the layers where they are
    assert apart(theirs(pipeline, recipe), ours) <= 1

    (file,) = studio.edits.export(entry.id, "diffusers", tmp_path / "single.safetensors").files
    pipeline = plain(recipe)
    pipeline.load_lora_weights(tmp_path, weight_name=file.name)
    assert apart(theirs(pipeline, recipe), ours) <= 1

    (file,) = studio.edits.export(entry.id, "kohya", tmp_path / "kohya.safetensors").files
    studio.edits.remove(entry.id)  # so that the import is not answered with what is there
    back = studio.edits.import_file(file, "back")
    assert (back.sha256, back.provenance) == (entry.sha256, entry.provenance), "it says which edit it is"
    assert np.array_equal(drawn(studio, recipe, back.id), ours)
    studio.edits.remove(back.id)
