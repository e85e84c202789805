"""Weights as the authors' programs of ESD and UCE save them, read as what they differ by from the model at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from studio.core.errors import AssetError
from studio.engine.edits import finetuned
from studio.engine.edits.finetuned import read_weights
from studio.engine.edits.format import Dense, Edit
from studio.engine.edits.inspection import foreign_header
from studio.engine.edits.stored import Parameters, stored_at
from tests.ldm_checkpoint import ldm_names
from tests.tiny_model import build_once

Tensors = dict[str, Tensor]
Q = "mid_block.attentions.0.transformer_blocks.0.attn2.to_q.weight"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_once(tmp_path_factory)


@pytest.fixture(scope="module")
def unet(model: Path) -> Tensors:
    return load_file(model / "unet" / "diffusion_pytorch_model.safetensors")


@pytest.fixture(scope="module")
def stored(model: Path) -> dict[str, Parameters]:
    return stored_at(model)


def trained(unet: Tensors, part: str, size: float = 0.01) -> Tensors:
    """What a training of the layers with this in their names leaves: all their weights and biases moved."""
    generator = torch.Generator().manual_seed(1)
    return {
        name: tensor + size * torch.randn(tensor.shape, generator=generator)
        for name, tensor in unet.items()
        if part in name and "norm" not in name
    }


def read(file: Path, stored: Mapping[str, Parameters], *, partial: bool = False) -> Edit:
    return read_weights(file, foreign_header(file), stored, "e", "tiny", partial=partial)


def put(tensors: Tensors, path: Path) -> Path:
    save_file({name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}, path)
    return path


def assert_is(edit: Edit, weights: Tensors, unet: Tensors) -> None:
    """Whether the edit makes these weights of the model's."""
    found: Tensors = {}
    for component, path, layer in edit.each():
        assert component == "unet" and isinstance(layer, Dense)
        found[f"{path}.weight"] = unet[f"{path}.weight"] + layer.D
        if layer.bias is not None:
            found[f"{path}.bias"] = unet[f"{path}.bias"] + layer.bias
    assert set(found) == set(weights)
    for name, tensor in weights.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=1e-6, msg=name)


def test_uce_saves_keys_and_values_alone(unet: Tensors, stored: Mapping[str, Parameters], tmp_path: Path) -> None:
    weights = {name: t for name, t in trained(unet, "attn2.to_").items() if ".to_k." in name or ".to_v." in name}
    edit = read(put(weights, tmp_path / "uce.safetensors"), stored)
    assert_is(edit, weights, unet)
    assert edit.kind == "dense" and edit.provenance["model"] == "tiny" and edit.provenance["style"] == "weights"
    torch.save(trained(unet, "") | {n: t for n, t in unet.items() if "norm" in n}, tmp_path / "formerly.pt")
    assert len(list(read(tmp_path / "formerly.pt", stored).each())) > len(list(edit.each()))


def test_esd_saves_bfloat16_and_rounding_alone_is_no_change(
    unet: Tensors, stored: Mapping[str, Parameters], tmp_path: Path
) -> None:
    """Its program loads the model in bfloat16: what it did not move is the model's value, rounded."""
    moved = {name: tensor.bfloat16() for name, tensor in trained(unet, "attn2", size=0.1).items()}
    assert any(name.endswith("to_out.0.bias") for name in moved), "biases are among them"
    others = {name: unet[name].bfloat16() for name in unet if "attn1" in name and "norm" not in name}
    edit = read(put({**moved, **others}, tmp_path / "esd-star-from-star-esdx.safetensors"), stored)
    assert {f"{path}.weight" for _, path, _ in edit.each()} == {name for name in moved if name.endswith("weight")}
    for _, path, layer in edit.each():
        assert isinstance(layer, Dense)
        rounded = unet[f"{path}.weight"].bfloat16().float()
        assert torch.equal(layer.D, moved[f"{path}.weight"].float() - rounded), "the rounding is not in the edit"


def test_esd_formerly_saved_dicts_of_modules_and_whole_checkpoints(
    model: Path, unet: Tensors, stored: Mapping[str, Parameters], tmp_path: Path
) -> None:
    weights = trained(unet, "attn2")
    modules: dict[str, Tensors] = {}
    for name, tensor in weights.items():
        module, _, part = name.rpartition(".")
        modules.setdefault(f"unet.{module}", {})[part] = tensor
    torch.save(modules, tmp_path / "modules.pt")
    assert_is(read(tmp_path / "modules.pt", stored), weights, unet)
    vae = load_file(model / "vae" / "diffusion_pytorch_model.safetensors")
    text = load_file(model / "text_encoder" / "model.safetensors")
    layers = len({name.split(".")[3] for name in unet if name.startswith("down_blocks.0.resnets.")})
    whole = ldm_names({**unet, **weights}, vae, [text], layers)
    whole |= {"betas": torch.ones(10), "model_ema.decay": torch.tensor(1.0)}
    torch.save({"state_dict": {name: tensor.contiguous() for name, tensor in whole.items()}}, tmp_path / "whole.pt")
    edit = read(tmp_path / "whole.pt", stored)
    assert_is(edit, weights, unet)
    assert edit.provenance["left_out"] == []


def unrelated(tensors: Tensors) -> Tensors:
    generator = torch.Generator().manual_seed(9)
    return {name: torch.randn(tensor.shape, generator=generator) * 0.1 for name, tensor in tensors.items()}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w, u: {name: u[name] for name in w}, r"changes nothing: all \d+ layers in .* equal those of tiny"),
        (lambda w, u: {name: u[name].half() for name in w}, "changes nothing"),
        (lambda w, u: unrelated(w), "have nothing in common with those of tiny: they are of another model"),
        (lambda w, u: {**w, Q: w[Q][:, :-1]}, r"attn2\.to_q\.weight has shape .* and the file's .* for another model"),
        (lambda w, u: {f"transformer.{name}": t for name, t in w.items()}, "Nothing in .* fits .* with a transformer"),
        (lambda w, u: {**w, "down_blocks.9.conv.weight": w[Q]}, "tiny has no place for 1 tensor .* 'down_blocks.9"),
        (lambda w, u: {**w, Q: torch.full_like(w[Q], float("nan"))}, "values in .*to_q.* that are not numbers"),
        (lambda w, u: {**w, Q: w[Q].int()}, "to_q.* as I32; weights are read as F32"),
        (lambda w, u: {**w, f"unet.{Q}": w[Q]}, r"has unet\.mid_block.*to_q\.weight twice, once more as '"),
        (lambda w, u: {**w, "conv_norm_out.weight": u["conv_norm_out.weight"] + 1}, "1 tensor of .* differ and are no"),
        (lambda w, u: {"first_stage_model.x.weight": w[Q]}, "holds no weights that an edit could change"),
    ],
)
def test_refusals(
    unet: Tensors,
    stored: Mapping[str, Parameters],
    tmp_path: Path,
    change: Callable[[Tensors, Tensors], Tensors],
    said: str,
) -> None:
    file = put(change(trained(unet, "attn2"), unet), tmp_path / "bad.safetensors")
    with pytest.raises(AssetError, match=said):
        read(file, stored)


def test_what_fits_is_taken_when_asked_for(unet: Tensors, stored: Mapping[str, Parameters], tmp_path: Path) -> None:
    weights = trained(unet, "attn2")
    more = {"conv_norm_out.weight": unet["conv_norm_out.weight"] + 1, "nowhere.weight": torch.ones(2, 2)}
    edit = read(put({**weights, **more}, tmp_path / "x.safetensors"), stored, partial=True)
    assert_is(edit, weights, unet)
    assert edit.provenance["left_out"] == ["conv_norm_out.weight", "nowhere.weight"]


def test_an_unfit_file_is_refused_before_a_number_is_read_and_a_huge_change_while_it_is(
    unet: Tensors, stored: Mapping[str, Parameters], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = trained(unet, "attn2")
    bad = put({**weights, Q: weights[Q][:, :-1]}, tmp_path / "bad.safetensors")
    with monkeypatch.context() as patched:
        patched.setattr(finetuned, "read_tensors", lambda *args: pytest.fail("numbers were read"))
        with pytest.raises(AssetError, match="does not fit"):
            read(bad, stored)
    monkeypatch.setattr(finetuned, "MAX_DENSE_BYTES", 1000)
    with pytest.raises(AssetError, match="changes takes more than .* GB as an edit, and no more is kept"):
        read(put(weights, tmp_path / "good.safetensors"), stored)
