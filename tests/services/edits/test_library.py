"""Edits as a user has them: import, list, show, export, rename, remove; and a page that need not wait for torch."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from studio.core.errors import AssetError, BadInput, NotFound, WorkspaceError
from studio.core.recipe import EditRef, Recipe
from studio.core.settings import Settings
from studio.engine.edits import files
from studio.engine.edits.files import read_edit, to_bytes
from studio.engine.edits.format import Dense, Edit
from studio.engine.edits.layout import layout_of_folder
from studio.services.checks import check_recipes
from studio.services.edits import outgoing
from studio.services.edits.fit import misfit
from studio.services.edits.incoming import ImportCheck
from studio.services.edits.library import EditLibrary
from studio.services.sources import Sources
from studio.storage.edits import EditStore
from studio.storage.images import write_durably
from tests.engine.edits.foreign import kohya, write
from tests.engine.edits.making import make_edit
from tests.ldm_checkpoint import write_checkpoint
from tests.test_layers import imported_by


@pytest.fixture
def library(settings: Settings) -> EditLibrary:
    return EditLibrary(EditStore(settings.workspace / "edits"), Sources(settings))


@pytest.fixture
def edit(settings: Settings) -> Edit:
    shapes = layout_of_folder(settings.model_dir).components["unet"]
    return make_edit({path: shape for path, shape in shapes.items() if ".attn2." in path}, seed=1, name="No stars")


def test_a_life(library: EditLibrary, edit: Edit, tmp_path: Path) -> None:
    file = write(kohya(edit), tmp_path / "No stars.safetensors")
    check = library.inspect(file)
    count = len(edit.layers["unet"])
    assert (check.style, check.matched, check.total, check.ranks, check.left) == ("kohya", count, count, (2,), ())
    entry = library.import_file(file)
    assert (entry.name, entry.version, entry.kind, entry.problem) == ("No stars", 1, "lora", "")
    assert entry.layers == {"unet": count} and entry.provenance["file"] == "No stars.safetensors"
    assert library.import_file(file, "Another name") == entry, "the same content is there already"
    assert library.list() == [entry] and library.show("no-stars") == entry
    renamed = library.rename(entry.id, "Stars, gone")
    assert renamed.name == "Stars, gone" and renamed.sha256 == entry.sha256 and library.show(entry.id) == renamed
    refs = [EditRef(edit=entry.id), EditRef(edit="stars-gone", strength=0.5)]
    assert library.paths(refs) == {entry.id: str(renamed.path), "stars-gone": str(renamed.path)}
    assert library.remove("stars-gone") == renamed.id and library.list() == []
    with pytest.raises(NotFound, match="There is no edit named"):
        library.show(entry.id)


def test_an_edit_without_a_gate_cannot_be_as_strong_as_the_prompt_asks(
    library: EditLibrary, edit: Edit, tmp_path: Path
) -> None:
    entry = library.import_file(write(kohya(edit), tmp_path / "plain.safetensors"))
    recipe = Recipe(edits=(EditRef(edit=entry.id, auto=True),))
    with pytest.raises(BadInput, match="The edit 'plain' carries no gate, so its strength cannot follow the prompt"):
        check_recipes([recipe], library._sources, library)
    with pytest.raises(BadInput, match="carries no gate"):
        check_recipes([Recipe(edits=(EditRef(edit="live:abc", auto=True),))], library._sources, library)
    check_recipes([Recipe(edits=(EditRef(edit=entry.id, start=0.5),))], library._sources, library)
    short = Recipe(steps=4, edits=(EditRef(edit=entry.id, start=0.5, stop=0.7),))
    with pytest.raises(BadInput, match="acts in none of the 4 steps: it starts at 0.5 and stops at 0.7 of them"):
        check_recipes([short], library._sources, library)


@pytest.mark.parametrize("style", ["diffusers", "kohya", "peft", "palimpsest"])
def test_exports_come_back(library: EditLibrary, edit: Edit, tmp_path: Path, style: str) -> None:
    entry = library.import_file(write(kohya(edit), tmp_path / "x.safetensors"), "Stars")
    out = tmp_path / "out" / ("folder" if style == "peft" else "file.safetensors")
    files = library.export("stars", style, out).files
    assert all(file.is_file() for file in files) and files == sorted(files)
    (plain := tmp_path / "plain").touch()
    assert {file.stat().st_mode for file in files} == {plain.stat().st_mode}, "as whoever may read the folder expects"
    library.remove("stars")
    back = library.import_file(out / "unet" if style == "peft" else out)
    assert back.layers == entry.layers
    assert (back.sha256 == entry.sha256) == (style != "diffusers"), "diffusers' file has alpha / r folded into B"
    with pytest.raises(BadInput, match="There is something at"):
        library.export(back.id, style, out)


def test_our_own_file_keeps_its_manifest(
    library: EditLibrary, edit: Edit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = replace(edit, version=3, base={"unet": "f" * 64}, provenance={"method": "esd"})
    (tmp_path / "own.safetensors").write_bytes(to_bytes(made))
    entry = library.import_file(tmp_path / "own.safetensors")
    assert (entry.name, entry.version, entry.base) == ("No stars", 3, {"unet": "f" * 64})
    count = len(edit.layers["unet"])
    assert library.inspect(tmp_path / "own.safetensors") == ImportCheck("palimpsest", count, count, (), ())
    assert entry.provenance == {"method": "esd"} and read_edit(entry.path).sha256 == made.sha256
    library.remove(entry.id)
    assert library.import_file(tmp_path / "own.safetensors", "Mine").name == "Mine"
    (tmp_path / "own.safetensors").write_bytes(to_bytes(make_edit({"nowhere": (2, 2)})))
    assert library.inspect(tmp_path / "own.safetensors").left == ("unet.nowhere",)
    with monkeypatch.context() as patched:
        patched.setattr(files, "read_edit", lambda path: pytest.fail("its numbers were read"))
        with pytest.raises(AssetError, match="does not fit: this model has no layer unet.nowhere"):
            library.import_file(tmp_path / "own.safetensors")


def test_a_checkpoint_takes_the_same_edits_as_its_folder(settings: Settings, tiny_model: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(tiny_model, models / "folder")
    (models / "sorted").mkdir()
    write_checkpoint(tiny_model, models / "sorted" / "one.safetensors")
    shutil.copytree(tiny_model, models / "sorted" / "one", ignore=shutil.ignore_patterns("*.safetensors"))
    sources = Sources(settings.model_copy(update={"models_dir": models}))
    library = EditLibrary(EditStore(settings.workspace / "edits"), sources)
    layers = layout_of_folder(tiny_model).components
    made = {c: make_edit(shapes, seed=1, component=c).layers[c] for c, shapes in layers.items()}
    file = write(kohya(Edit("Both", "lora", made)), tmp_path / "x.safetensors")
    count = sum(map(len, layers.values()))
    entries = []
    for model in ("folder", "sorted/one.safetensors"):
        assert library.inspect(file, model) == ImportCheck("kohya", count, count, (2,), ())
        entries.append(library.import_file(file, model=model))
        assert misfit(entries[-1], sources, model) == ""
        library.remove(entries[-1].id)
    assert entries[0].sha256 == entries[1].sha256


def test_names_come_from_the_file_or_its_folder(library: EditLibrary, edit: Edit, tmp_path: Path) -> None:
    folder = tmp_path / "my lora"
    folder.mkdir()
    file = write(kohya(edit), folder / "adapter_model.safetensors")
    assert library.import_file(file).name == "my lora"
    library.remove("my-lora")
    assert library.import_file(folder).name == "my lora"


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 101])
def test_names_that_are_none(library: EditLibrary, edit: Edit, tmp_path: Path, name: str) -> None:
    file = write(kohya(edit), tmp_path / "x.safetensors")
    with pytest.raises(BadInput, match="a name has 1 to 100 printable characters"):
        library.import_file(file, name)
    library.import_file(file)
    with pytest.raises(BadInput, match="a name has 1 to 100 printable characters"):
        library.rename("x", name)
    assert [entry.name for entry in library.list()] == ["x"]


def test_what_fits_in_part_needs_a_word(library: EditLibrary, edit: Edit, tmp_path: Path) -> None:
    tensors = {**kohya(edit), "lora_unet_nowhere.lora_down.weight": torch.ones(1, 2)}
    file = write(tensors, tmp_path / "x.safetensors")
    with pytest.raises(AssetError, match="Ask for a partial import"):
        library.import_file(file)
    assert library.list() == [] and library.inspect(file).left == ("lora_unet_nowhere",)
    assert library.import_file(file, partial=True).layers == {"unet": len(edit.layers["unet"])}


def test_a_broken_file_is_listed_with_its_problem(
    library: EditLibrary, edit: Edit, settings: Settings, tmp_path: Path
) -> None:
    good = library.import_file(write(kohya(edit), tmp_path / "x.safetensors"), "Good")
    folder = settings.workspace / "edits"
    (folder / "cut-aaaaaaaaaaaa.safetensors").write_bytes(good.path.read_bytes()[:100])
    save_file(load_file(good.path), folder / "foreign-bbbbbbbbbbbb.safetensors")
    problems = {entry.id: entry.problem for entry in library.list()}
    assert problems[good.id] == "" and len(problems) == 3
    assert "is cut short" in problems["cut-aaaaaaaaaaaa"] and "not an edit of ours" in problems["foreign-bbbbbbbbbbbb"]
    with pytest.raises(AssetError, match="cut short"):
        library.export("cut", "palimpsest", tmp_path / "y.safetensors")
    assert not (tmp_path / "y.safetensors").exists()


def test_exports_that_cannot_be(library: EditLibrary, tmp_path: Path, settings: Settings) -> None:
    shapes = layout_of_folder(settings.model_dir).components["unet"]
    path, shape = next((path, shape) for path, shape in shapes.items() if path.endswith("attn2.to_k"))
    dense = Edit("Dense", "dense", {"unet": {path: Dense(torch.randn(shape))}})
    (tmp_path / "own.safetensors").write_bytes(to_bytes(dense))
    library.import_file(tmp_path / "own.safetensors")
    out = tmp_path / "out.safetensors"
    for style, place, said in [
        ("onnx", out, "There is no export style 'onnx'; there are diffusers, kohya, comfyui, peft, palimpsest, merged"),
        ("peft", out, "goes to a folder, not"),
        ("kohya", tmp_path / "out", "goes to a .safetensors file, not"),
    ]:
        with pytest.raises(BadInput, match=said):
            library.export("dense", style, place)
    with pytest.raises(BadInput, match="is not of low rank: rank 1 would lose"):
        library.export("dense", "kohya", out, max_rank=1)
    assert library.export("dense", "kohya", out, max_rank=min(shape)).files == [out]


def test_the_page_need_not_wait_for_torch() -> None:
    heavy = {"torch", "diffusers", "transformers", "peft", "gradio"}
    code = "from pathlib import Path; from studio.storage.edits import EditStore; "
    listing = (
        f"{code}from studio.services.edits.library import EditLibrary; EditLibrary(EditStore(Path('.')), None).list()"
    )
    for names in imported_by("import studio.services.edits, studio.cli.edits, studio.storage.edits", listing):
        assert not names & heavy


# -- weights of a fine-tuned model, and models with an edit in them ---------------------------------------------------


def moved(settings: Settings, size: float) -> dict[str, torch.Tensor]:
    """Keys and values of the model's cross-attention, moved by so much: what UCE saves."""
    unet = load_file(settings.model_dir / "unet" / "diffusion_pytorch_model.safetensors")
    generator = torch.Generator().manual_seed(1)
    return {
        name: tensor + size * torch.randn(tensor.shape, generator=generator)
        for name, tensor in unet.items()
        if "attn2.to_k" in name or "attn2.to_v" in name
    }


def test_erased_weights_come_in_as_a_dense_edit(library: EditLibrary, settings: Settings, tmp_path: Path) -> None:
    weights = moved(settings, 0.01)
    save_file(weights, tmp_path / "uce_star.safetensors")
    torch.save(weights, tmp_path / "uce_star.pt")
    check = library.inspect(tmp_path / "uce_star.pt")
    assert check == ImportCheck("weights", len(weights), len(weights), (), ())
    entry = library.import_file(tmp_path / "uce_star.safetensors")
    assert (entry.name, entry.kind, entry.layers) == ("uce_star", "dense", {"unet": len(weights)})
    assert library.import_file(tmp_path / "uce_star.pt") == entry, "the same numbers in another file"
    save_file(moved(settings, 0), tmp_path / "same.safetensors")
    with pytest.raises(AssetError, match="changes nothing: all .* equal those of stencil"):
        library.import_file(tmp_path / "same.safetensors")
    out = tmp_path / "merged"
    assert out / "unet" / "diffusion_pytorch_model.safetensors" in library.export(entry.id, "merged", out).files
    library.remove(entry.id)
    back = library.import_file(out / "unet" / "diffusion_pytorch_model.safetensors")
    assert back.name == "uce_star" and back.layers == entry.layers, "the merged model says which edit it has"
    assert [entry.name for entry in library.list()] == ["uce_star"]


def test_a_full_disk_leaves_no_half_of_an_export(
    library: EditLibrary, edit: Edit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = library.import_file(write(kohya(edit), tmp_path / "x.safetensors"))
    written: list[Path] = []

    def full(path: Path, data: bytes, *, private: bool = True) -> None:
        if written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        path.write_bytes(data)
        written.append(path)

    monkeypatch.setattr(outgoing, "write_durably", full)
    with pytest.raises(WorkspaceError, match="cannot be written: the disk is full. Free some space"):
        library.export(entry.id, "peft", tmp_path / "out")
    assert written and not written[0].exists()
    monkeypatch.setattr(outgoing, "write_durably", write_durably)
    assert library.export(entry.id, "peft", tmp_path / "out").files, "the place is free for the next try"
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 1000))
    with pytest.raises(WorkspaceError, match="cannot be written: the disk is full"):
        library.export(entry.id, "merged", tmp_path / "merged")
    assert not (tmp_path / "merged").exists() and library.show(entry.id) == entry


def test_biases_go_where_they_are_carried(library: EditLibrary, settings: Settings, tmp_path: Path) -> None:
    path = "mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0"
    shape = layout_of_folder(settings.model_dir).components["unet"][path]
    (tmp_path / "own.safetensors").write_bytes(to_bytes(make_edit({path: shape}, biased=[path], name="Biased")))
    entry = library.import_file(tmp_path / "own.safetensors")
    with pytest.raises(
        BadInput, match="changes biases, which LoRA files for kohya do not carry. Take the export for C"
    ):
        library.export("biased", "kohya", tmp_path / "k.safetensors")
    library.export("biased", "comfyui", tmp_path / "c.safetensors")
    library.remove("biased")
    assert library.import_file(tmp_path / "c.safetensors").sha256 == entry.sha256
