"""Loading: dtype and shapes from the configs, a sentence for what is broken."""

import shutil
from pathlib import Path

import pytest
import torch

from studio.core.errors import AssetError
from studio.models.embedded import EmbeddedModel, load_stencil
from tests.tiny_model import CHANNELS, CONTEXT, SCALE, SIZE_PX

UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def bundle(tiny_model: Path) -> EmbeddedModel:
    return load_stencil(tiny_model)


def test_shapes(bundle: EmbeddedModel) -> None:
    cond = bundle.encode(["a red star", ""])
    assert cond.tokens.shape == (2, CONTEXT, 16) and not cond.extras
    x = torch.randn(2, CHANNELS, SIZE_PX // SCALE, SIZE_PX // SCALE)
    with torch.inference_mode():
        raw = bundle.predict(x, torch.tensor([999.0, 3.5]), cond)
        pictures = bundle.decode(raw)
    assert raw.shape == x.shape
    assert pictures.shape == (2, 3, SIZE_PX, SIZE_PX)
    assert 0 <= float(pictures.min()) and float(pictures.max()) <= 1


def test_a_prompt_does_not_depend_on_its_company(bundle: EmbeddedModel) -> None:
    together = bundle.encode(["a red star", "a blue square"])
    bundle.forget_prompts()
    assert torch.equal(together.row(1).tokens, bundle.encode(["a blue square"]).tokens)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_are_of_the_dtype_asked_for(tiny_model: Path, tmp_path: Path, dtype: torch.dtype) -> None:
    half = Path(shutil.copytree(tiny_model, tmp_path / "half"))
    (half / "SHA256SUMS").unlink()
    from safetensors.torch import load_file, save_file

    for name in (UNET, "text_encoder/model.safetensors"):
        save_file({key: value.half() for key, value in load_file(half / name).items()}, half / name, {"format": "pt"})
    loaded = load_stencil(half, dtype=dtype, require_checksums=False)
    assert {p.dtype for m in (loaded.unet, loaded.text_encoder, loaded.vae) for p in m.parameters()} == {dtype}
    assert not loaded.unet.training


def test_damage_is_found_before_loading(tiny_model: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_model, tmp_path / "copy"))
    with (copy / UNET).open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(AssetError, match=f"{UNET} is damaged"):
        load_stencil(copy)
    (copy / "SHA256SUMS").unlink()
    with pytest.raises(AssetError, match="has no SHA256SUMS"):
        load_stencil(copy)
    with pytest.raises(AssetError, match=f"{UNET} are no safetensors file, or cut short"):
        load_stencil(copy, require_checksums=False)
    (copy / UNET).unlink()
    with pytest.raises(AssetError, match=f"{UNET} are missing"):
        load_stencil(copy, require_checksums=False)


def test_preview_is_fitted_on_the_world(bundle: EmbeddedModel) -> None:
    shown = bundle.preview_map(torch.zeros(1, CHANNELS, 4, 4))
    assert shown.shape == (1, 3, 4, 4)


def test_the_hash_is_of_the_weights(tiny_model: Path, bundle: EmbeddedModel) -> None:
    assert load_stencil(tiny_model).model_hash == bundle.model_hash
    assert set(bundle.made_by()) >= {"model_hash", "torch", "diffusers", "device", "dtype", "threads"}
