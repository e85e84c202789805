"""A model with an edit in its weights: other programs open it, and it is the base and the edit to the last bit."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from studio.core.errors import BadInput
from studio.engine.edits import whole_model
from studio.engine.edits.finetuned import read_weights
from studio.engine.edits.format import Dense, Edit, Mask
from studio.engine.edits.inspection import foreign_header
from studio.engine.edits.layout import layout_at
from studio.engine.edits.manifest import EXPORT_KEY
from studio.engine.edits.room import WeightRoom
from studio.engine.edits.stack import EditStack
from studio.engine.edits.stored import stored_at
from studio.engine.edits.targets import targets
from studio.engine.edits.whole_model import NOTE, write_merged
from studio.models.loading import load_model
from tests.engine.edits.making import make_edit
from tests.ldm_checkpoint import write_checkpoint
from tests.tiny_model import build_once
from tests.tiny_sdxl import build_xl


@pytest.fixture(scope="module", params=["sd", "sdxl"])
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A diffusers folder in half precision, and the same as a checkpoint with its configs beside it."""
    base = tmp_path_factory.mktemp(request.param)
    folder = base / "folder"
    if request.param == "sdxl":
        build_xl(folder)
    else:
        shutil.copytree(build_once(tmp_path_factory), folder)
    (folder / "SHA256SUMS").unlink(missing_ok=True)
    for file in folder.glob("*/*.safetensors"):
        save_file({name: t.half() for name, t in load_file(file).items()}, file, {"format": "pt"})
    write_checkpoint(folder, base / "model.safetensors")
    shutil.copytree(folder, base / "model", ignore=shutil.ignore_patterns("*.safetensors"))
    return folder, base / "model.safetensors"


def of_everything(place: Path, kind: Any = "lora") -> Edit:
    """An edit of every layer of a model, and of some biases."""
    layers, stored = {}, stored_at(place)
    for component, shapes in layout_at(place).components.items():
        biased = [path for path in shapes if f"{path}.bias" in stored[component]][::2]
        layers |= make_edit(shapes, seed=1, kind=kind, size=0.01, component=component, biased=biased).layers
    return Edit("Everything", kind, layers)


def weights_of(place: Path) -> dict[str, torch.Tensor]:
    """All weights and biases of a model as it is loaded, in float32."""
    bundle = load_model(place, name="tiny", dtype=torch.float32)
    return {
        f"{component}.{path}.{part}": tensor.detach()
        for component, module in bundle.components().items()
        if component != "vae"
        for path, layer in targets(module).items()
        for part, tensor in layer.named_parameters()
    }


def test_a_merged_model_is_base_and_edit(models: tuple[Path, Path], tmp_path: Path) -> None:
    strength = 0.75
    for place, kind in zip(models, ("mask", "lora"), strict=True):
        edit = of_everything(place, kind)
        out = tmp_path / (place.name if place.is_file() else "merged")
        if place.is_file():
            shutil.copytree(place.with_suffix(""), out.with_suffix(""))
        files = write_merged(edit, place, out, strength, "{}")
        assert all(file.is_file() for file in files) and not list(tmp_path.glob("*.unfinished"))
        bundle = load_model(place, name="tiny", dtype=torch.float32)
        room = WeightRoom({name: module for name, module in bundle.components().items() if name != "vae"})
        room.use(EditStack.of([(edit, strength)]))
        merged = weights_of(out)
        for component, module in bundle.components().items():
            for path, layer in targets(module).items() if component != "vae" else ():
                for part, tensor in layer.named_parameters():
                    assert torch.equal(merged[f"{component}.{path}.{part}"], tensor), (component, path, part)


def test_only_what_the_edit_changes_is_written_anew(models: tuple[Path, Path], tmp_path: Path) -> None:
    folder, _ = models
    variant = folder / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    shutil.copy(folder / "unet" / "diffusion_pytorch_model.safetensors", variant)
    (folder / "SHA256SUMS").write_text("0  nothing\n")
    shapes = {p: s for p, s in layout_at(folder).components["unet"].items() if ".attn2.to_k" in p}
    write_merged(make_edit(shapes, seed=1), folder, tmp_path / "out", 1.0, '{"name":"x"}')
    variant.unlink()
    (folder / "SHA256SUMS").unlink()
    before = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    after = {path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert after - before == {Path(NOTE)} and not before - after, "neither a stale list nor the base's variant"
    for path in before - {Path("unet/diffusion_pytorch_model.safetensors")}:
        assert (folder / path).read_bytes() == (tmp_path / "out" / path).read_bytes(), path
    old, new = (load_file(place / "unet/diffusion_pytorch_model.safetensors") for place in (folder, tmp_path / "out"))
    changed = {name for name in old if not torch.equal(old[name].float(), new[name].float())}
    assert changed == {f"{path}.weight" for path in shapes} == {n for n, t in new.items() if t.dtype == torch.float32}
    with safe_open(tmp_path / "out/unet/diffusion_pytorch_model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt", EXPORT_KEY: '{"name":"x"}'}
    library: Any = diffusers
    unet = library.UNet2DConditionModel.from_pretrained(tmp_path / "out" / "unet")
    assert torch.equal(unet.state_dict()[min(changed)], new[min(changed)]), "diffusers opens it"


def test_a_merged_model_comes_back_as_the_edit(models: tuple[Path, Path], tmp_path: Path) -> None:
    """But for the second text encoder of an SDXL checkpoint, whose tensors are not those of its layers."""
    for place in models:
        edit = of_everything(place)
        layers = {c: {p: Dense(v.delta(), v.bias) for p, v in ls.items()} for c, ls in edit.layers.items()}  # type: ignore[union-attr]
        dense = Edit("D", "dense", {c: ls for c, ls in layers.items() if c != "text_encoder_2"})
        out = tmp_path / (place.name if place.is_file() else "merged")
        files = write_merged(dense, place, out, 1.0, "{}")
        for file in files if place.is_file() else [out / "unet" / "diffusion_pytorch_model.safetensors"]:
            back = read_weights(file, foreign_header(file), stored_at(place), "back", "tiny")
            for component, path, layer in back.each():
                assert isinstance(layer, Dense)
                expected = dense.layers[component][path]
                torch.testing.assert_close(layer.D, expected.D, rtol=0, atol=1e-6)  # type: ignore[union-attr]
            assert set(back.layers) == (set(dense.layers) if place.is_file() else {"unet"})


def test_what_does_not_fit_or_has_no_room_leaves_nothing(
    models: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, checkpoint = models
    with pytest.raises(BadInput, match=r"does not fit: this model has no layer unet\.nowhere"):
        write_merged(make_edit({"nowhere": (2, 2)}), folder, tmp_path / "out", 1.0, "{}")
    edit = of_everything(folder)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 1000))
        with pytest.raises(OSError, match="No space left"):
            write_merged(edit, folder, tmp_path / "out", 1.0, "{}")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(whole_model.os, "fsync", full)
    for place, out in ((folder, tmp_path / "out"), (checkpoint, tmp_path / "out.safetensors")):
        with pytest.raises(OSError, match="No space left"):
            write_merged(edit, place, out, 1.0, "{}")
    assert list(tmp_path.iterdir()) == []


def test_a_mask_keeps_what_it_keeps() -> None:
    change = whole_model._of_weight(Mask(torch.tensor([[1.0, 0.0]])), 0.5)
    assert json.loads(json.dumps(change(torch.tensor([[4.0, 4.0]])).tolist())) == [[4.0, 2.0]]
