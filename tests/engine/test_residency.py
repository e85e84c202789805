"""Residency: shared parts once, leases respected, eviction by cost, nothing left behind."""

from __future__ import annotations

import gc
import shutil
import weakref
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from studio.core.errors import AssetError, Cancelled, NotFound, OutOfMemory
from studio.core.recipe import Recipe
from studio.engine import residency
from studio.engine.memory import Memory
from studio.engine.order import Order
from studio.engine.residency import ModelStore
from studio.engine.sampler import sample
from studio.models.embedded import EmbeddedModel
from studio.models.listing import Places
from studio.models.sdxl import StableDiffusionXL
from tests.tiny_model import SIZE_PX
from tests.tiny_sdxl import build_xl

UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def models_dir(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Beside the embedded model: "same", all its files; "kin", another UNet; "xl", nothing in common."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("same", "kin"):
        shutil.copytree(tiny_model, folder / name)
    weights = {key: value * 1.01 for key, value in load_file(folder / "kin" / UNET).items()}
    save_file(weights, folder / "kin" / UNET, {"format": "pt"})
    build_xl(folder / "xl")
    return folder


@pytest.fixture
def store(tiny_model: Path, models_dir: Path) -> ModelStore:
    return ModelStore(Places({"stencil": tiny_model}, models_dir), torch.device("cpu"))


def resident(store: ModelStore) -> list[tuple[str, tuple[str, ...]]]:
    return sorted((row.part, row.models) for row in store.table())


def bytes_of(store: ModelStore, name: str) -> int:
    return sum(row.bytes for row in store.table() if name in row.models)


# -- sharing --------------------------------------------------------------------------------------------------------


def test_equal_files_are_one_part_wherever_they_lie(store: ModelStore) -> None:
    with store.lease("stencil") as first:
        alone = store.resident_bytes
        with store.lease("same") as second, store.lease("kin") as third:
            assert second.components()["unet"] is first.components()["unet"]
            assert third.components()["vae"] is first.components()["vae"]
            assert third.components()["unet"] is not first.components()["unet"]
            unet = next(row.bytes for row in store.table() if row.part == "unet")
            assert store.resident_bytes == alone + unet
    assert resident(store) == [
        ("text_encoder", ("kin", "same", "stencil")),
        ("unet", ("kin",)),
        ("unet", ("same", "stencil")),
        ("vae", ("kin", "same", "stencil")),
    ]
    assert [load.part for load in store.loads] == ["unet", "vae", "text_encoder", "unet"]


def test_remarks_in_a_config_make_no_other_part(tiny_model: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_model, tmp_path / "moved")
    config = tmp_path / "moved" / "vae" / "config.json"
    config.write_text(config.read_text().replace('"_class_name"', '"_name_or_path": "elsewhere", "_class_name"'))
    store = ModelStore(Places({"stencil": tiny_model}, tmp_path), torch.device("cpu"))
    assert store.bundle("moved").components()["vae"] is store.bundle("stencil").components()["vae"]


def test_number_formats_are_apart(tiny_model: Path) -> None:
    store = ModelStore(Places({"stencil": tiny_model}), torch.device("cpu"), "fp16")
    with store.lease("stencil"):
        assert {row.part: row.dtype for row in store.table()} == {
            "unet": "fp16",
            "vae": "fp32",
            "text_encoder": "fp16",
        }


def test_families_by_their_pipeline(store: ModelStore) -> None:
    with store.lease("stencil") as embedded, store.lease("kin") as kin, store.lease("xl") as xl:
        assert isinstance(embedded, EmbeddedModel)
        assert not isinstance(kin, EmbeddedModel)
        assert isinstance(xl, StableDiffusionXL)
        assert len({model.model_hash for model in (embedded, kin, xl)}) == 3


def test_a_part_of_no_whole_model(store: ModelStore, tiny_model: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_model / "unet", tmp_path / "early" / "unet")
    with store.lease_part(tmp_path / "early", "unet") as unet, store.lease("stencil") as model:
        assert model.components()["unet"] is unet
        assert [row.leases for row in store.table() if row.part == "unet"] == [2]
    with pytest.raises(AssetError, match="no part named"), store.lease_part(tmp_path / "early", "head"):
        pass


# -- leases and eviction --------------------------------------------------------------------------------------------


def test_leases_are_counted_and_end_with_an_error(store: ModelStore) -> None:
    with pytest.raises(RuntimeError, match="mine"), store.lease("stencil"), store.lease("stencil"):
        assert {row.leases for row in store.table()} == {2}
        raise RuntimeError("mine")
    assert {(row.leases, row.uses) for row in store.table()} == {(0, 2)}
    assert store.bundle("stencil") is store.bundle("stencil")


def test_loading_a_model_keeps_what_of_it_is_there(store: ModelStore) -> None:
    with store.lease("stencil"):
        pass
    store.budget_bytes = 1
    with store.lease("kin"):  # shares all but the denoiser
        pass
    assert [load.part for load in store.loads] == ["unet", "vae", "text_encoder", "unet"]
    assert resident(store)[1] == ("unet", ("kin",)) and len(resident(store)) == 3


def test_what_is_leased_stays_whatever_the_budget(store: ModelStore) -> None:
    store.budget_bytes = 1
    with store.lease("stencil") as held:
        with store.lease("xl"):
            assert bytes_of(store, "stencil") and bytes_of(store, "xl")
        unet = held.components()["unet"]
        with store.lease("kin"):
            assert bytes_of(store, "xl") == 0
            assert held.components()["unet"] is unet and not next(unet.parameters()).is_meta
    with store.lease("xl"):
        assert bytes_of(store, "stencil") == 0


def test_the_budget_is_kept(store: ModelStore) -> None:
    with store.lease("stencil"):
        small = store.resident_bytes
    with store.lease("xl"):
        large = store.resident_bytes - small
    store.evict()
    assert store.resident_bytes == 0
    store.budget_bytes = small + large - 1
    for name in ("stencil", "xl", "kin", "stencil", "xl"):
        with store.lease(name):
            assert store.resident_bytes <= store.budget_bytes


def put(store: ModelStore, name: str, seconds: float) -> None:
    """A part of 400 bytes that took so long to load, just used."""
    store._parts[name, "fp32"] = residency._Part(name, torch.nn.Linear(10, 10, bias=False), 400, "fp32", seconds)
    store._use((name, "fp32"))


def names_after_eviction(store: ModelStore) -> list[str]:
    store.budget_bytes = store.resident_bytes
    store.evict(1)
    return [row.part for row in store.table()]


def test_what_is_cheap_to_load_goes_first(store: ModelStore) -> None:
    put(store, "dear", 9.0)
    put(store, "cheap", 1.0)
    assert names_after_eviction(store) == ["dear"]


def test_of_equals_the_longest_unused_goes(store: ModelStore) -> None:
    for name in ("first", "second", "third"):
        put(store, name, 1.0)
    store._use(("first", "fp32"))
    assert names_after_eviction(store) == ["third", "first"]


def test_what_was_dear_once_does_not_stay_for_ever(store: ModelStore) -> None:
    put(store, "dear", 3.5)
    for n in range(3):
        put(store, f"cheap {n}", 1.0)
        assert names_after_eviction(store) == ["dear"]
    put(store, "cheap 3", 1.0)
    assert names_after_eviction(store) == ["cheap 3"]


def test_nothing_is_left_after_eviction(store: ModelStore) -> None:
    with store.lease("stencil") as model:
        list(sample(model, [Order(Recipe(width=SIZE_PX, height=SIZE_PX, steps=2))]))
        gone = [weakref.ref(model), *(weakref.ref(module) for module in model.components().values())]
        gone += [weakref.ref(next(module.parameters())) for module in model.components().values()]
    del model
    dropped = store.evict()
    assert dropped > 0 and store.table() == ()
    assert [ref for ref in gone if ref() is not None] == []


def test_a_model_comes_back_equal_and_keeps_its_preview(store: ModelStore) -> None:
    recipe = Recipe(prompt="a red star", width=SIZE_PX, height=SIZE_PX, steps=2)
    with store.lease("kin") as model:
        first, fitted = next(picture for _, picture in sample(model, [Order(recipe)])), model.preview_map
    del model
    store.evict()
    with store.lease("kin") as model:
        assert (next(picture for _, picture in sample(model, [Order(recipe)])) == first).all()
        assert model.preview_map is fitted
    assert [load.part for load in store.loads] == ["unet", "vae", "text_encoder"] * 2


# -- refusals -------------------------------------------------------------------------------------------------------


def test_unknown_and_broken_models(store: ModelStore, models_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there are stencil, kin, same, xl"), store.lease("nothing"):
        pass
    shutil.copytree(models_dir / "kin", tmp_path / "broken")
    (tmp_path / "broken" / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    broken = ModelStore(Places({}, tmp_path), torch.device("cpu"))
    with pytest.raises(AssetError, match="vae.* are missing"), broken.lease("broken"):
        pass
    assert all(row.leases == 0 for row in broken.table())
    with pytest.raises(NotFound), store.lease("../kin"):
        pass


def test_a_config_of_another_shape_and_missing_weights_are_told(tiny_model: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_model, tmp_path / "lacking")
    path = tmp_path / "lacking" / UNET
    weights = load_file(path)
    del weights["conv_in.weight"]
    save_file(weights, path, {"format": "pt"})
    shutil.copytree(tiny_model, tmp_path / "misshapen")
    config = tmp_path / "misshapen" / "text_encoder" / "config.json"
    config.write_text(config.read_text().replace('"intermediate_size": 32', '"intermediate_size": 40'))
    store = ModelStore(Places({}, tmp_path), torch.device("cpu"))
    with pytest.raises(AssetError, match=r"lacks 1 weights, conv_in\.weight among them"):
        store.bundle("lacking")
    with pytest.raises(AssetError, match="model's text_encoder in .* cannot be loaded"):
        store.bundle("misshapen")


def test_what_can_never_fit_is_refused_with_something_smaller(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = store.check_fits("xl", 2, 512, 512)
    assert needs.weights == sum(module_bytes(store, "xl"))
    monkeypatch.setattr(residency, "memory_of", lambda device: Memory(0, needs.weights + needs.activations // 3))
    with pytest.raises(OutOfMemory, match=r"512 x 512 pixels with xl need .* Take 256 x 256\."):
        store.check_fits("xl", 2, 512, 512)
    store.check_fits("xl", 2, 256, 256)
    monkeypatch.setattr(residency, "memory_of", lambda device: Memory(0, needs.weights - 1))
    with pytest.raises(OutOfMemory, match="Take fp16, or a smaller model"):
        store.check_fits("xl", 2, 64, 64)
    store.evict()
    with pytest.raises(OutOfMemory, match=r"of xl takes .* has .* in all"), store.lease("xl"):
        pass


def module_bytes(store: ModelStore, name: str) -> list[int]:
    with store.lease(name) as model:
        modules = model.components().values()
        return [sum(p.nbytes for p in module.parameters()) for module in modules]


# -- for long -------------------------------------------------------------------------------------------------------


def rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's account of memory")
def test_fifty_switches_do_not_grow_the_process(store: ModelStore) -> None:
    store.budget_bytes = 1  # every switch is a reload
    sizes = []
    for switch in range(60):
        name = ("kin", "xl")[switch % 2]
        with store.lease(name) as model:
            side = model.default_size_px
            list(sample(model, [Order(Recipe(model=name, prompt="a red star", width=side, height=side, steps=2))]))
        del model
        gc.collect()
        sizes.append(rss_bytes())
    warm = max(sizes[8:10])
    assert sizes[-1] <= 1.05 * warm, [size // 1024**2 for size in sizes]


@pytest.mark.parametrize("looks", [0, 3, 4])
def test_a_stop_is_heard_between_two_parts_and_what_is_loaded_stays(store: ModelStore, looks: int) -> None:
    """Asked before each of the three parts is hashed and then before each is loaded."""
    left = iter([False] * looks)
    with pytest.raises(Cancelled), store.lease("stencil", lambda: next(left, True)):
        pass
    assert len(store.loads) == max(0, looks - 3)
    with store.lease("stencil"):
        assert [load.part for load in store.loads] == ["unet", "vae", "text_encoder"]  # none of them twice
