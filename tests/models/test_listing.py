"""Which models there are: a broken one has its reason, and the others are unaffected."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from studio.core.errors import AssetError, BadInput, NotFound
from studio.models import hub
from studio.models.listing import MAX_DEPTH, Places, look_at
from tests.ldm_checkpoint import write_checkpoint
from tests.tiny_model import SIZE_PX
from tests.tiny_sdxl import XL_SIZE_PX, build_xl, set_config

UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """One good model; tests add to it."""
    models = tmp_path / "models"
    shutil.copytree(tiny_model, models / "good")
    return models


def problems(places: Places) -> dict[str, str | None]:
    return {model.name: model.problem for model in places.listing()}


def test_good_models_with_their_numbers(folder: Path, tiny_model: Path) -> None:
    build_xl(folder / "large")
    write_checkpoint(folder / "good", folder / "single.safetensors")
    shutil.copytree(folder / "good", folder / "single", ignore=shutil.ignore_patterns("*.safetensors"))
    listed = {model.name: model for model in Places({"stencil": tiny_model}, folder).listing()}
    assert list(listed) == ["stencil", "good", "large", "single.safetensors"]
    assert [model.problem for model in listed.values()] == [None] * 4
    assert [model.family for model in listed.values()] == ["embedded", "sd", "sdxl", "sd"]
    assert [model.default_size_px for model in listed.values()] == [SIZE_PX, SIZE_PX, XL_SIZE_PX, SIZE_PX]
    assert {model.dtype for model in listed.values()} == {"fp32"}
    assert listed["good"].values == listed["single.safetensors"].values == sum(listed["good"].parts.values())
    assert listed["single.safetensors"].bytes_on_disk == (folder / "single.safetensors").stat().st_size
    assert set(listed["large"].parts) == {"unet", "vae", "text_encoder", "text_encoder_2"}


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda model: (model / "vae" / "config.json").unlink(), "vae/config.json is missing"),
        (lambda model: (model / UNET).unlink(), "are missing"),
        (lambda model: (model / UNET).rename((model / UNET).with_suffix(".bin")), "are pickles"),
        (lambda model: (model / UNET).write_bytes(b"\0" * 100), "header cannot be read"),
        (lambda model: (model / UNET).write_bytes((model / UNET).read_bytes()[:-1]), "cut short"),
        (lambda model: set_config(model, "model_index.json", _class_name="FluxPipeline"), "not FluxPipeline"),
        (lambda model: set_config(model, "model_index.json", _class_name=["x"]), "not nothing known"),
        (lambda model: set_config(model, "model_index.json", vae=["diffusers", "AutoencoderTiny"]), "AutoencoderKL"),
        (lambda model: set_config(model, "unet/config.json", in_channels=9), "cannot draw from text alone"),
        (lambda model: (model / "model_index.json").unlink(), "model_index.json is missing"),
    ],
)
def test_a_broken_one_is_told_and_the_others_are_unaffected(folder: Path, harm: object, says: str) -> None:
    shutil.copytree(folder / "good", folder / "broken")
    assert callable(harm)
    harm(folder / "broken")
    found = problems(Places({}, folder))
    assert found["good"] is None and says in (found["broken"] or "")


def test_garbled_configs_never_stop_the_listing(folder: Path) -> None:
    for name in ("model_index", "unet/config", "vae/config", "text_encoder/config", "scheduler/scheduler_config"):
        path = folder / "good" / f"{name}.json"
        whole = path.read_text()
        for key in json.loads(whole):
            for garbage in (None, [], {}, "x", -1, 1e400, [[1]], 10**400):
                path.write_text(json.dumps({**json.loads(whole), key: garbage}))
                problem = look_at("good", folder / "good").problem
                assert problem is None or str(folder) in problem
        path.write_text(whole)
    assert look_at("good", folder / "good").problem is None


def test_what_lies_about(folder: Path, tmp_path: Path) -> None:
    (folder / "old.ckpt").write_bytes(b"")
    (folder / "notes.txt").write_text("")
    (folder / ".hidden").mkdir()
    (folder / "lora.safetensors").write_bytes(b"")
    found = problems(Places({}, folder))
    assert set(found) == {"good", "lora.safetensors", "old.ckpt"}
    assert "never loaded" in (found["old.ckpt"] or "") and "no safetensors file" in (found["lora.safetensors"] or "")
    assert Places({}, tmp_path / "gone").listing() == [] and Places({}).names() == ()


def test_models_sorted_into_folders_are_found_with_the_folders_name(folder: Path) -> None:
    single = folder / "SDXL" / "by maker" / "one.safetensors"
    single.parent.mkdir(parents=True)
    write_checkpoint(folder / "good", single)
    shutil.copytree(folder / "good", single.with_suffix(""), ignore=shutil.ignore_patterns("*.safetensors"))
    shutil.move(folder / "good", folder / "SD15" / "good")
    shutil.copytree(folder / "SD15" / "good", folder / "SD15" / "broken")
    (folder / "SD15" / "broken" / "model_index.json").unlink()
    (folder / "SD15" / "old.CKPT").write_bytes(b"")
    (folder / "SD15" / "notes").mkdir()
    shutil.copy(single, single.with_name("two.SafeTensors"))
    (folder / "SD15" / ".cache").mkdir()
    places = Places({}, folder)
    found = problems(places)
    assert set(found) == {
        "SD15/broken",
        "SD15/good",
        "SD15/notes",
        "SD15/old.CKPT",
        "SDXL/by maker/one.safetensors",
        "SDXL/by maker/two.SafeTensors",
    }
    assert found["SD15/good"] is None and found["SDXL/by maker/one.safetensors"] is None
    assert "model_index.json is missing" in (found["SD15/broken"] or "") and "never loaded" in (
        found["SD15/old.CKPT"] or ""
    )
    assert places.find("SDXL/by maker/one.safetensors") == single
    assert places.find("SD15/good") == folder / "SD15" / "good", "before the hub is asked for that name"


def test_scanning_ends(folder: Path) -> None:
    (folder / "circle").symlink_to(folder, target_is_directory=True)
    names = Places({}, folder).names()
    assert "good" in names and "circle/good" in names and max(name.count("/") for name in names) == MAX_DEPTH
    deep = folder / "a" / "b" / "c" / "d" / "e" / "f"
    deep.mkdir(parents=True)
    (folder / "circle").unlink()
    (deep / "lost.safetensors").write_bytes(b"")
    assert [name for name in Places({}, folder).names() if name.startswith("a")] == ["a/b/c/d/e"]


def test_names_lead_to_places_and_nowhere_else(folder: Path, tiny_model: Path) -> None:
    places = Places({"stencil": tiny_model}, folder)
    assert places.find("stencil") == tiny_model and places.find("good") == folder / "good"
    for name in ("../models/good", str(folder / "good"), "", ".", "GOOD", "x" * 1000):
        with pytest.raises((NotFound, AssetError)):
            places.find(name)
    shutil.copytree(folder / "good", folder / "stencil")  # a name already given
    assert places.find("stencil") == tiny_model and places.names() == ("stencil", "good")


# -- the hub --------------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache as huggingface_hub lays it out, with one model in it."""
    repository = tmp_path / "hub" / "models--maker--tiny-art"
    shutil.copytree(tiny_model, repository / "snapshots" / "abc123")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc123")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return repository / "snapshots" / "abc123"


def test_hub_models_are_found_in_the_cache(cache: Path) -> None:
    assert Places({}).find("maker/tiny-art") == cache
    assert hub.cached("maker/tiny-art@abc123") == cache
    assert look_at("maker/tiny-art", Places({}).find("maker/tiny-art")).problem is None


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("maker/other", "hf download maker/other"),
        ("maker/tiny-art@v2", "hf download maker/tiny-art --revision v2"),
        ("other/tiny-art", "hf download other/tiny-art"),
    ],
)
def test_hub_models_that_are_not_here(cache: Path, name: str, command: str) -> None:
    with pytest.raises(AssetError) as refused:
        Places({}).find(name)
    assert refused.value.message == f"The model {name} is not on this machine."
    assert f"Fetch it where there is a network ({command}), or" in str(refused.value)


@pytest.mark.parametrize("name", ["a/b/c", "../x", "a/..", "a/b@../../x", "/etc/passwd", "a/b@", "a b/c"])
def test_what_is_no_hub_id(name: str) -> None:
    assert not hub.is_hub_id(name)
    with pytest.raises(BadInput, match="organisation/name"):
        hub.cached(name)


def test_a_reference_that_leads_out_of_the_cache(cache: Path) -> None:
    (cache.parents[1] / "refs" / "main").write_text("../../../../elsewhere")
    with pytest.raises(AssetError, match="not on this machine"):
        hub.cached("maker/tiny-art")


def test_where_the_cache_is(tmp_path: Path) -> None:
    assert hub.cache_folder({"HF_HUB_CACHE": "/a", "HF_HOME": "/b"}) == Path("/a")
    assert hub.cache_folder({"HF_HOME": "/b"}) == Path("/b/hub")
    assert hub.cache_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/huggingface/hub")
    assert hub.cache_folder({}) == Path("~/.cache/huggingface/hub").expanduser()


def test_listing_is_plain_values(folder: Path) -> None:
    (model,) = Places({}, folder).listing()
    assert json.loads(json.dumps(dict(model.parts))) == dict(model.parts)
