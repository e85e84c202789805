"""Edits as values and as files: what cannot be is refused, what is stored comes back, and damage is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from studio.core.errors import AssetError, BadInput
from studio.engine.edits.files import read_edit, to_bytes
from studio.engine.edits.format import Dense, Edit, Layer, LowRank, Mask
from studio.engine.edits.manifest import KEY, layers_in, read_manifest
from tests.engine.edits.making import make_edit

SHAPES = {"a.to_q": (6, 4), "b.conv": (5, 3, 3, 3)}


def stored(tmp_path: Path, edit: Edit) -> Path:
    path = tmp_path / "edit.safetensors"
    path.write_bytes(to_bytes(edit))
    return path


@pytest.mark.parametrize("kind", ["lora", "dense", "mask"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_what_is_stored_comes_back(tmp_path: Path, kind: Any, dtype: torch.dtype) -> None:
    made = make_edit(SHAPES, seed=3, kind=kind, biased=["b.conv"], name="Stars, gone ⭐")
    layers = {path: cast(layer, dtype) for path, layer in made.layers["unet"].items()}
    edit = replace(made, layers={"unet": layers}, version=7, base={"unet": "ab"})
    path = stored(tmp_path, edit)
    back = read_edit(path)
    assert (back.name, back.version, back.kind, back.base) == ("Stars, gone ⭐", 7, kind, {"unet": "ab"})
    assert back.provenance == {"made_by": "test", "seed": 3}
    assert back.sha256 == edit.sha256 and to_bytes(back) == path.read_bytes()
    manifest, header = read_manifest(path)
    assert manifest.sha256 == edit.sha256 and layers_in(header) == {"unet": ["a.to_q", "b.conv"]}


def cast(layer: Layer, dtype: torch.dtype) -> Layer:
    return replace(layer, **{name: tensor.to(dtype) for name, tensor in layer.parts()})


def test_layers_may_share_memory(tmp_path: Path) -> None:
    shared = torch.randn(4, 4)
    edit = Edit("e", "dense", {"unet": {"a": Dense(shared), "b": Dense(shared[:2]), "c": Dense(shared.T)}})
    assert read_edit(stored(tmp_path, edit)).sha256 == edit.sha256


def test_the_hash_is_of_what_the_edit_does() -> None:
    edit = make_edit(SHAPES, seed=1)
    assert replace(edit, name="other", version=2, provenance={}, base={"unet": "x"}).sha256 == edit.sha256
    first = edit.layers["unet"]["a.to_q"]
    assert isinstance(first, LowRank)
    a = first.A.clone()
    a[0, 0] = torch.nextafter(a[0, 0], torch.tensor(9.0))
    others = [
        {**edit.layers["unet"], "a.to_q": replace(first, A=a)},
        {**edit.layers["unet"], "a.to_q": replace(first, alpha=3.0)},
        {**edit.layers["unet"], "a.to_q": replace(first, bias=torch.zeros(6))},
        {"a.to_k" if path == "a.to_q" else path: layer for path, layer in edit.layers["unet"].items()},
    ]
    hashes = {edit.sha256, *(replace(edit, layers={"unet": layers}).sha256 for layers in others)}
    hashes.add(replace(edit, layers={"text_encoder": edit.layers["unet"]}).sha256)
    assert len(hashes) == 6


def test_a_low_rank_layer_is_the_product_it_says() -> None:
    layer = LowRank(torch.randn(2, 3, 3, 3), torch.randn(5, 2, 1, 1), alpha=3.0)
    expected = 1.5 * torch.einsum("or,rikl->oikl", layer.B[:, :, 0, 0], layer.A)
    torch.testing.assert_close(layer.delta(), expected)
    assert layer.shape == (5, 3, 3, 3) and layer.rank == 2


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: LowRank(normal(2, 4), normal(6, 3), 1), "one rank, not 2 in A and 3 in B"),
        (lambda: LowRank(normal(0, 4), normal(6, 0), 1), "a rank from 1 to 4096"),
        (lambda: LowRank(normal(2, 4), normal(6, 2, 1, 1), 1), "cannot have A of shape"),
        (lambda: LowRank(normal(2, 4, 3, 3), normal(6, 2, 3, 3), 1), "cannot have A of shape"),
        (lambda: LowRank(normal(2), normal(2), 1), "cannot have A of shape"),
        (lambda: LowRank(normal(2, 4), normal(6, 2), 1e9), "alpha / rank up to 1000 and not 0, not 5e"),
        (lambda: LowRank(normal(2, 4), normal(6, 2), 0), "and not 0, not 0"),
        (lambda: LowRank(normal(2, 4), normal(6, 2), float("nan")), "and not 0, not nan"),
        (lambda: LowRank(normal(2, 4).int(), normal(6, 2), 1), "float32, float16 or bfloat16, not torch.int32 as in A"),
        (lambda: LowRank(normal(2, 4), normal(6, 2), 1, normal(5)), r"bias must have shape \(6,\), not \(5,\)"),
        (lambda: Dense(normal(3)), "not one of shape"),
        (lambda: Dense(normal(0, 3)), "not one of shape"),
        (lambda: Mask(normal(2, 3).double()), "not torch.float64"),
        (lambda: Edit("e", "lora", {}), "changes 1 to 20000 layers, not 0"),
        (lambda: Edit("e", "lora", {"vae": {"a": LowRank(normal(1, 2), normal(2, 1), 1)}}), "there is no 'vae'"),
        (
            lambda: Edit("e", "mask", {"unet": {"a": Dense(normal(2, 2))}}),
            "kind mask cannot hold the Dense layer unet.a",
        ),
        (lambda: Edit(" ", "dense", {"unet": {"a": Dense(normal(2, 2))}}), "1 to 100 printable characters"),
        (lambda: Edit("a\nb", "dense", {"unet": {"a": Dense(normal(2, 2))}}), "1 to 100 printable characters"),
        (
            lambda: to_bytes(Edit("e", "dense", {"unet": {"a": Dense(normal(2, 2) / 0)}})),
            "unet.a holds values in D that",
        ),
        (lambda: to_bytes(Edit("e", "mask", {"unet": {"a": Mask(normal(9, 9) + 2)}})), "must lie between 0 and 1"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        make()


def test_every_cut_is_found(tmp_path: Path) -> None:
    path = stored(tmp_path, make_edit({"a": (2, 2)}, rank=1))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(AssetError, match="edit.safetensors"):
            read_edit(path)


def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    """Of the numbers, that is: a changed header may read as another name of the same edit."""
    path = stored(tmp_path, make_edit({"a": (2, 2)}, rank=1))
    whole = path.read_bytes()
    for index in range(len(whole) - 16, len(whole)):
        path.write_bytes(whole[:index] + bytes([whole[index] ^ 1]) + whole[index + 1 :])
        with pytest.raises(AssetError, match="is damaged: its content is"):
            read_edit(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "of format 2, and this program reads up to 1"),
        ({"format": "x"}, "broken manifest: In the edit's manifest, format"),
        ({"kind": "lokr"}, "broken manifest: In the edit's manifest, kind must be one of lora, dense, mask"),
        ({"name": ""}, "broken manifest"),
        ({"extra": 1}, "has no field 'extra'"),
        ({"alphas": {"unet/b.conv": 1.0}}, "its layer unet/a.to_q is not whole"),
        ({"alphas": {"unet/a.to_q": 1e300, "unet/b.conv": 1.0}}, "alpha / rank up to 1000"),
        ({"sha256": "0" * 64}, "is damaged: its content is"),
        ({"kind": "dense"}, "is not whole"),
    ],
)
def test_a_manifest_that_lies_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = stored(tmp_path, make_edit(SHAPES))
    manifest, _ = read_manifest(path)
    save_file(load_file(path), path, {KEY: json.dumps({**manifest.model_dump(mode="json"), **change})})
    with pytest.raises(AssetError, match=said):
        read_edit(path)


def test_tensors_that_do_not_belong_are_refused(tmp_path: Path) -> None:
    path = stored(tmp_path, make_edit(SHAPES))
    manifest, _ = read_manifest(path)
    for extra in ("unet/a.to_q/C", "vae/x/A", "loose"):
        save_file(
            {**load_file(path), extra: torch.zeros(2, 2)}, tmp_path / "more.safetensors", {KEY: manifest.to_json()}
        )
        with pytest.raises(AssetError, match="is broken: "):
            read_edit(tmp_path / "more.safetensors")
    tensors = load_file(path)
    tensors["unet/a.to_q/A"][0, 0] = float("inf")
    save_file(tensors, path, {KEY: manifest.to_json()})
    with pytest.raises(AssetError, match="is broken: .* holds values in A that are not numbers"):
        read_edit(path)
    save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(AssetError, match="is not an edit of ours"):
        read_edit(path)
    save_file({"x": torch.zeros(2, dtype=torch.int8)}, path, {KEY: manifest.to_json()})
    with pytest.raises(AssetError, match="as I8, which weights are not"):
        read_edit(path)
    for text in ("{", "[]", "[" * 100_000, "{" + " " * 5_000_000):
        save_file({"x": torch.zeros(2)}, path, {KEY: text})
        with pytest.raises(AssetError, match="manifest"):
            read_edit(path)
