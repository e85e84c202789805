"""The early checkpoint beside the embedded model: leased for those who ask it, checked, named in what it made."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from studio.core.errors import AssetError, BadInput
from studio.core.recipe import Recipe
from studio.engine.config import EngineConfig
from studio.engine.residency import ModelStore
from studio.engine.runner import Engine
from studio.models.checksums import SUMS_NAME, file_sha256
from studio.models.embedded import EmbeddedModel
from studio.models.listing import Places
from tests.tiny_model import SIZE_PX


@pytest.fixture(scope="module")
def model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with an early checkpoint beside it: its denoiser and text encoder, a tenth smaller."""
    folder = tmp_path_factory.mktemp("early")
    shutil.copytree(tiny_model, folder / "tiny")
    early = folder / "tiny-early"
    for part in ("unet", "text_encoder"):
        shutil.copytree(tiny_model / part, early / part)
        path = next((early / part).glob("*.safetensors"))
        save_file({key: value * 0.9 for key, value in load_file(path).items()}, path, {"format": "pt"})
    files = sorted(path for path in early.rglob("*") if path.is_file())
    sums = "".join(f"{file_sha256(path)}  {path.relative_to(early).as_posix()}\n" for path in files)
    (early / SUMS_NAME).write_text(sums, encoding="utf-8")
    return folder / "tiny"


def engine_of(folder: Path) -> Engine:
    return Engine(EngineConfig(models={"stencil": folder}, device="cpu", previews=False))


def made(engine: Engine, *methods: str) -> list[dict[str, Any]]:
    """What is told of a picture by each method."""
    size = {"width": SIZE_PX, "height": SIZE_PX, "steps": 2}
    recipes = [Recipe.load({"prompt": "a red star", **size, "guidance": {"method": method}}) for method in methods]
    told: list[dict[str, Any]] = []
    job = {"kind": "generate", "recipes": [recipe.model_dump(mode="json") for recipe in recipes]}
    engine.run(job, lambda kind, data: told.append(data) if kind == "image" else None, lambda: False)
    return told


def test_it_shares_what_does_not_differ(model: Path) -> None:
    store = ModelStore(Places({"stencil": model}), torch.device("cpu"))
    with store.lease("stencil") as bundle, store.lease_early("stencil") as early:
        assert early is not None and early.model_hash != bundle.model_hash
        ours, theirs = bundle.components(), early.components()
        assert ours["vae"] is theirs["vae"]
        for part in ("unet", "text_encoder"):
            pairs = zip(ours[part].parameters(), theirs[part].parameters(), strict=True)
            assert all(torch.equal(own * 0.9, other) for own, other in pairs)
        assert sorted((row.part, row.leases) for row in store.table()) == [
            ("text_encoder", 1),
            ("text_encoder", 1),
            ("unet", 1),
            ("unet", 1),
            ("vae", 1),
        ]
    assert {row.leases for row in store.table()} == {0}


def test_a_model_without_one(tiny_model: Path) -> None:
    places = Places({"stencil": tiny_model})
    assert places.early("stencil") is None and places.early("nothing") is None
    store = ModelStore(places, torch.device("cpu"))
    with store.lease("stencil"), store.lease_early("stencil") as early:
        assert early is None
    with pytest.raises(BadInput, match="autoguidance needs an early checkpoint of the model, and stencil has none"):
        made(engine_of(tiny_model), "cfg", "autoguidance")


def test_whether_to_stop_is_asked_before_every_piece_of_work(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Edits' files, texts that are tokenised to be counted, parts that are loaded, passes of the text encoder."""
    engine, order = engine_of(model), list[str]()

    def noted(piece: str, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **more: (order.append(piece), function(*args, **more))[1]

    chunks = engine.store.chunks
    monkeypatch.setattr(engine.store, "chunks", lambda name: noted("text", chunks(name)))
    monkeypatch.setattr(engine.store, "_fetch", noted("part", engine.store._fetch))
    monkeypatch.setattr(engine.shelf, "stack", noted("edits", engine.shelf.stack))
    monkeypatch.setattr(EmbeddedModel, "embed", noted("pass", EmbeddedModel.embed))
    monkeypatch.setattr(EmbeddedModel, "decode", noted("picture", EmbeddedModel.decode))
    recipe = Recipe.load({"width": SIZE_PX, "height": SIZE_PX, "steps": 2, "guidance": {"method": "autoguidance"}})
    recipes = [
        recipe.model_copy(update={"prompt": text}).model_dump(mode="json") for text in ("a star", "(a:1.2) ring")
    ]
    engine.run({"kind": "generate", "recipes": recipes}, lambda kind, data: None, lambda: bool(order.append("asked")))
    pieces = Counter(order)
    assert (pieces["edits"], pieces["part"], pieces["picture"]) == (2, 5, 2) and pieces["text"] and pieces["pass"]
    assert all("asked" in (before, piece) for before, piece in pairwise(["", *order])), order


def test_a_picture_names_the_checkpoint_it_was_made_with(model: Path) -> None:
    engine = engine_of(model)
    plain, auto = made(engine, "cfg", "autoguidance")
    assert plain["rgb"] != auto["rgb"]
    assert "weak_hash" not in plain["made_by"] and len(auto["made_by"]["weak_hash"]) == 64
    assert made(engine, "autoguidance")[0]["rgb"] == auto["rgb"]


def test_it_is_loaded_only_for_those_who_ask(model: Path) -> None:
    engine = engine_of(model)
    made(engine, "cfg", "pag")
    assert [row.part for row in engine.store.table()].count("unet") == 1
    made(engine, "autoguidance")
    assert [row.part for row in engine.store.table()].count("unet") == 2


def test_a_damaged_one_is_refused(model: Path, tmp_path: Path) -> None:
    for name in ("tiny", "tiny-early"):
        shutil.copytree(model.with_name(name), tmp_path / name)
    with (tmp_path / "tiny-early" / "unet" / "config.json").open("a") as config:
        config.write(" ")
    engine = engine_of(tmp_path / "tiny")
    with pytest.raises(AssetError, match=r"tiny-early/unet/config\.json is damaged"):
        made(engine, "autoguidance")
    assert made(engine, "cfg")
    assert {row.leases for row in engine.store.table()} == {0}
