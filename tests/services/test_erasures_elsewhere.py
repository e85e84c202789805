"""An erased concept in other programs: plain diffusers draws what the studio draws, and every format brings it back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from peft import PeftModel
from PIL import Image

from studio.core.recipe import EditRef, GuidanceSpec, Recipe
from studio.core.settings import Settings
from studio.engine.edits.files import read_edit, to_bytes
from studio.engine.edits.format import Dense, Edit
from studio.engine.edits.header import read_header
from studio.engine.edits.manifest import EXPORT_KEY
from studio.services.studio import Studio
from studio.storage.reports import ReportKey
from studio.world.oracle import Oracle
from tests import tiny_model, tiny_sdxl
from tests.services.test_erasures import erased

PROMPT = "a red star on a white background"
SEEDS, SCALE = (3, 4), 5.0
FORMATS = ("diffusers", "kohya", "comfyui", "peft", "palimpsest")
Pixels = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def studio(stencil_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("elsewhere")
    settings = Settings(workspace=folder, model_dir=stencil_dir, device="cpu", threads=1, port=0)
    with Studio(settings, backend="inline") as opened:
        yield opened


@pytest.fixture(scope="module")
def no_star(studio: Studio) -> str:
    edit, _ = erased(studio, name="no star", concepts=[{"words": "star", "substitute": "heart"}])
    return edit


def recipe(seed: int, edit: str | None = None) -> Recipe:
    edits = () if edit is None else (EditRef(edit=edit),)
    guidance = GuidanceSpec(params={"guidance_scale": SCALE})
    return Recipe(prompt=PROMPT, seed=seed, steps=12, guidance=guidance, edits=edits)


def ours(studio: Studio, edit: str | None = None) -> list[Pixels]:
    made = studio.pictures.draw([recipe(seed, edit) for seed in SEEDS])
    return [pixels(picture) for picture in made]


def pixels(picture: Any) -> Pixels:
    return np.asarray(Image.open(picture.image_path).convert("RGB")).astype(int)


def plain(folder: Path) -> Any:
    """Diffusers' own pipeline, by its own means, from a folder."""
    pipeline: Any = StableDiffusionPipeline.from_pretrained(
        folder, safety_checker=None, requires_safety_checker=False, local_files_only=True
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def theirs(pipeline: Any) -> list[Pixels]:
    pictures = []
    for seed in SEEDS:
        generator = torch.Generator().manual_seed(seed)
        result = pipeline(PROMPT, num_inference_steps=12, guidance_scale=SCALE, generator=generator, output_type="np")
        pictures.append((result.images[0] * 255).round().astype(int))
    return pictures


def objects(pictures: list[Pixels]) -> set[str]:
    read = Oracle.load().read(np.stack(pictures).astype(np.uint8))
    return {thing.object for reading in read for thing in reading.things}


def apart(some: list[Pixels], others: list[Pixels]) -> int:
    return max(int(np.abs(a - b).max()) for a, b in zip(some, others, strict=True))


def exported(studio: Studio, edit: str, style: str, folder: Path) -> Path:
    out = folder / (style if style in ("peft", "merged") else f"{style}.safetensors")
    studio.edits.export(edit, style, out)
    return out


def test_plain_diffusers_draws_no_star_either(studio: Studio, no_star: str, stencil_dir: Path, tmp_path: Path) -> None:
    """By its loader of LoRAs, by peft's on its UNet, and as a model of its own: the studio's pictures, within 1/255."""
    expected, pipeline = ours(studio, no_star), plain(stencil_dir)
    assert apart(ours(studio), base := theirs(pipeline)) <= 1
    assert objects(base) == {"star"} and objects(expected) == {"heart"}
    file = exported(studio, no_star, "diffusers", tmp_path)
    pipeline.load_lora_weights(tmp_path, weight_name=file.name)
    assert apart(elsewhere := theirs(pipeline), expected) <= 1 and objects(elsewhere) == {"heart"}
    pipeline = plain(stencil_dir)
    PeftModel.from_pretrained(pipeline.unet, str(exported(studio, no_star, "peft", tmp_path) / "unet")).eval()
    assert apart(theirs(pipeline), expected) <= 1
    assert apart(theirs(plain(exported(studio, no_star, "merged", tmp_path))), expected) <= 1


def test_every_format_brings_the_same_edit_back(studio: Studio, no_star: str, tmp_path: Path) -> None:
    entry, expected = studio.edits.show(no_star), ours(studio, no_star)
    edit = read_edit(entry.path)
    for style in FORMATS:
        out = exported(studio, no_star, style, tmp_path)
        studio.edits.remove(no_star)
        back = studio.edits.import_file(out / "unet" if style == "peft" else out)
        assert (back.id, back.sha256, back.name, back.base) == (entry.id, entry.sha256, entry.name, entry.base), style
        assert back.provenance == entry.provenance and read_edit(back.path).sha256 == edit.sha256
    assert all(np.array_equal(a, b) for a, b in zip(ours(studio, no_star), expected, strict=True)), "bit for bit"


def test_a_dense_edit_goes_out_as_factors_and_says_what_it_leaves_out(
    studio: Studio, no_star: str, tmp_path: Path
) -> None:
    """The same change with noise of full rank on it: as factors a little is lost, and whole nothing is."""
    edit = read_edit(studio.edits.show(no_star).path)
    generator = torch.Generator().manual_seed(1)
    layers: dict[str, dict[str, Dense]] = {}
    for component, path, layer in edit.each():
        delta = layer.delta()  # type: ignore[union-attr]
        noise = torch.randn(delta.shape, generator=generator)
        layers.setdefault(component, {})[path] = Dense(delta + noise * (0.02 * delta.norm() / noise.norm()))
    dense = Edit("no star, dense", "dense", layers)
    (tmp_path / "own.safetensors").write_bytes(to_bytes(dense))
    entry = studio.edits.import_file(tmp_path / "own.safetensors")
    out = tmp_path / "kohya.safetensors"
    export = studio.edits.export(entry.id, "kohya", out, max_rank=64)
    assert 0.005 < export.error < 0.1 and set(export.errors) == {f"{c}/{p}" for c, p, _ in dense.each()}
    manifest = _manifest(out)
    assert manifest["low_rank"]["error"] == pytest.approx(export.error, abs=1e-8)
    kept = read_edit(studio.edits.import_file(out).path)
    lost = whole = 0.0
    for component, path, layer in dense.each():
        d, said = layer.delta(), manifest["low_rank"]["layers"][f"{component}/{path}"]  # type: ignore[union-attr]
        factors = kept.layers[component][path]
        missing = float((d - factors.delta()).norm())  # type: ignore[union-attr]
        assert missing / float(d.norm()) == pytest.approx(said["error"], abs=1e-4) and said["rank"] <= 64
        lost, whole = lost + missing**2, whole + float(d.norm()) ** 2
    assert (lost / whole) ** 0.5 == pytest.approx(export.error, abs=1e-4)
    out = exported(studio, entry.id, "comfyui", tmp_path)
    studio.edits.remove(entry.id)
    assert studio.edits.import_file(out).sha256 == dense.sha256, "whole it is lossless"


def test_what_was_measured_goes_out_with_the_edit(studio: Studio, no_star: str, tmp_path: Path) -> None:
    sha256, model = studio.edits.show(no_star).sha256, "a" * 64
    studio.archive.keep_report(ReportKey(sha256, model, "card"), {"ua": 0.97})
    report = {f"{model}/card": {"ua": 0.97}}
    assert _manifest(exported(studio, no_star, "diffusers", tmp_path))["report"] == report
    assert json.loads((exported(studio, no_star, "peft", tmp_path) / "manifest.json").read_text())["report"] == report


def test_an_erasure_of_any_family_is_made_loads_and_goes_out(
    stencil_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    for module in (tiny_model, tiny_sdxl):
        monkeypatch.setattr(module, "CONTEXT", 77)  # sentences, by a vocabulary of hardly more than letters
    tiny_model.build(models / "sd")
    tiny_sdxl.build_xl(models / "xl")
    settings = Settings(
        workspace=tmp_path / "w", model_dir=stencil_dir, models_dir=models, device="cpu", threads=1, port=0
    )
    with Studio(settings, backend="inline") as studio:
        for model, size in (("sd", 32), ("xl", 64)):
            concepts = [{"words": "star", "substitute": "square", "kind": "object"}]
            edit, _ = erased(studio, model=model, name=f"no star in {model}", concepts=concepts)
            entry = studio.edits.show(edit)
            values: dict[str, Any] = {"prompt": "a red star", "model": model, "width": size, "height": size, "steps": 2}
            base, on = studio.pictures.draw([Recipe(**values), Recipe(**values, edits=(EditRef(edit=edit),))])
            assert not np.array_equal(pixels(base), pixels(on)), "it does something"
            for style in FORMATS:
                out = tmp_path / model / (style if style == "peft" else f"{style}.safetensors")
                studio.edits.export(edit, style, out)  # of comfyui, the model is the one it was made of
                studio.edits.remove(edit)
                back = studio.edits.import_file(out / "unet" if style == "peft" else out, model=model)
                assert back.sha256 == entry.sha256, (model, style)
            studio.edits.export(edit, "merged", tmp_path / model / "merged")
            shutil.move(tmp_path / model / "merged", models / f"{model}-merged")
            (merged,) = studio.pictures.draw([Recipe(**{**values, "model": f"{model}-merged"})])
            assert np.array_equal(pixels(merged), pixels(on)), "the merged model is the edit"


def _manifest(file: Path) -> dict[str, Any]:
    return json.loads(read_header(file).metadata[EXPORT_KEY])
