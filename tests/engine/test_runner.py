"""The engine: out of memory comes as something smaller to try, and the next job is fine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from studio.core.errors import EnvironmentProblem, NotFound, OutOfMemory
from studio.core.recipe import Recipe
from studio.engine import residency
from studio.engine.config import EngineConfig
from studio.engine.edits.files import to_bytes
from studio.engine.memory import Memory
from studio.engine.runner import Engine, pick_device
from studio.models.estimate import activation_bytes
from tests.engine.edits.making import make_edit
from tests.tiny_model import SIZE_PX
from tests.tiny_sdxl import XL_SIZE_PX, build_xl


def job(**values: object) -> dict[str, Any]:
    recipe = Recipe.load({"prompt": "a red star", "width": SIZE_PX, "height": SIZE_PX, "steps": 2, **values})
    return {"kind": "generate", "recipes": [recipe.model_dump(mode="json")]}


def run(engine: Engine, job: dict[str, Any]) -> list[str]:
    told: list[str] = []
    engine.run(job, lambda kind, data: told.append(kind), lambda: False)
    return told


@pytest.fixture
def engine(tiny_model: Path) -> Engine:
    return Engine(EngineConfig(models={"stencil": tiny_model}, device="cpu", previews=False))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: 9 bytes."),
    ],
)
def test_out_of_memory_suggests_something_smaller(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    bundle = engine.bundle("stencil")
    with monkeypatch.context() as patch:

        def fail(*args: object) -> None:
            raise error

        patch.setattr(bundle, "predict", fail)
        with pytest.raises(OutOfMemory, match=r"512 x 256 pixels\. Take 256 x 128\."):
            run(engine, job(width=512, height=256))
        with pytest.raises(OutOfMemory, match="fewer pictures"):
            run(engine, job())
    assert run(engine, job())[-2:] == ["image", "done"]


def test_other_runtime_errors_are_not_taken_for_it(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(engine.bundle("stencil"), "predict", fail)
    with pytest.raises(RuntimeError, match="shapes"):
        run(engine, job())


def test_an_unknown_kind_of_job(engine: Engine) -> None:
    with pytest.raises(NotFound, match="no kind of job"):
        run(engine, {"kind": "fly"})


def test_time_left_counts_the_steps_of_every_picture(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recipes of unlike step counts in one job; a clock on which every step takes one second."""
    bundle, clock = engine.bundle("stencil"), [0.0]
    predict = bundle.predict

    def one_second(*args: Any, **kwargs: Any) -> torch.Tensor:
        clock[0] += 1
        return predict(*args, **kwargs)

    monkeypatch.setattr(bundle, "predict", one_second)
    monkeypatch.setattr("studio.engine.progress.time", SimpleNamespace(monotonic=lambda: clock[0]))
    mixed = {"kind": "generate", "recipes": [job(steps=steps)["recipes"][0] for steps in (2, 6, 4)]}
    told: list[dict[str, Any]] = []
    engine.run(mixed, lambda kind, data: told.append(data) if kind == "progress" else None, lambda: False)
    assert [data["left_s"] for data in told] == list(range(11, -1, -1))
    assert [round(data["done"] * 12, 3) for data in told] == list(range(1, 13))
    assert [(data["image"], data["step"], data["steps"]) for data in told][1:4] == [(0, 2, 2), (1, 1, 6), (1, 2, 6)]


def test_a_shared_batch_gives_way_after_every_evaluation_and_draws_the_same(engine: Engine, tmp_path: Path) -> None:
    """Other pictures, under other edits, between any two evaluations of a batch of edited and plain rows."""
    layer: Any = engine.bundle("stencil").components()["unet"].get_submodule("mid_block.attentions.0.proj_in")
    edits: dict[str, str] = {}
    for seed in (1, 2):
        edit = make_edit({"mid_block.attentions.0.proj_in": tuple(layer.weight.shape)}, seed)
        file = tmp_path / f"{seed}.safetensors"
        file.write_bytes(to_bytes(edit))
        edits[edit.sha256] = str(file)
    first, second = edits
    batch: dict[str, Any] = {"kind": "generate", "recipes": [], "edits": edits}
    for ref in (None, first, None, first):
        used = [{"edit": ref, "strength": 0.7}] if ref else []
        batch["recipes"] += job(seed=len(batch["recipes"]), steps=4, batching="shared", edits=used)["recipes"]
    between = {**job(edits=[{"edit": second}], steps=2), "edits": edits}

    def drawn(steps: Any, told: list[bytes], meanwhile: Callable[[], object]) -> tuple[list[bytes], int]:
        turns = 0
        for _ in steps:
            turns += 1
            meanwhile()
        return told, turns

    def begun(work: dict[str, Any]) -> tuple[Any, list[bytes]]:
        told: list[bytes] = []

        def tell(kind: str, data: dict[str, Any]) -> None:
            if kind == "image":
                told.append(data["rgb"])

        return engine.steps(work, tell, lambda: False), told

    alone, turns = drawn(*begun(batch), lambda: None)
    assert turns >= 4 and len(set(alone)) == 4
    others: list[list[bytes]] = []
    beside, _ = drawn(*begun(batch), lambda: others.append(drawn(*begun(between), lambda: None)[0]))
    assert beside == alone and len(others) == turns
    assert all(each == others[0] for each in others)


def test_a_model_that_shares_a_part_is_drawn_with_its_base_between_two_steps_under_an_edit(
    tiny_model: Path, tmp_path: Path
) -> None:
    engine = Engine(EngineConfig(models={"stencil": tiny_model, "twin": tiny_model}, device="cpu", previews=False))
    unet = engine.bundle("stencil").components()["unet"]
    assert engine.bundle("twin").components()["unet"] is unet  # one part, two rooms
    layer: Any = unet.get_submodule("mid_block.attentions.0.proj_in")
    edit = make_edit({"mid_block.attentions.0.proj_in": tuple(layer.weight.shape)})
    file = tmp_path / "edit.safetensors"
    file.write_bytes(to_bytes(edit))

    def drawn(work: dict[str, Any], meanwhile: Callable[[], object] = lambda: None) -> list[bytes]:
        told: list[bytes] = []

        def tell(kind: str, data: dict[str, Any]) -> None:
            if kind == "image":
                told.append(data["rgb"])

        for _ in engine.steps(work, tell, lambda: False):
            meanwhile()
        return told

    edited = {**job(edits=[{"edit": edit.sha256}]), "edits": {edit.sha256: str(file)}}
    twin = job(model="twin")
    alone, base = drawn(edited), drawn(twin)
    between: list[list[bytes]] = []
    assert drawn(edited, lambda: between.append(drawn(twin))) == alone != base
    assert between and all(pictures == base for pictures in between)


def test_models_stay_resident(engine: Engine) -> None:
    assert engine.made_by() == {}
    assert engine.bundle("stencil") is engine.bundle("stencil")
    assert engine.made_by()["device"] == "cpu"


def test_the_status_says_whether_the_base_is_back(engine: Engine, tmp_path: Path) -> None:
    unet = engine.bundle("stencil").components()["unet"]
    told = engine.made_by()
    assert "equals_base" not in told and set(told["bases"]) >= {"unet", "text_encoder"}
    assert {part["part"] for part in told["resident"]} >= {"unet", "vae"} and told["resident"][0]["bytes"] > 0
    layers = [unet.get_submodule(f"mid_block.attentions.0.proj_{end}") for end in ("in", "out")]
    jobs = []
    for end, layer in zip(("in", "out"), layers, strict=True):
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        edit = make_edit({f"mid_block.attentions.0.proj_{end}": tuple(layer.weight.shape)})
        file = tmp_path / f"{end}.safetensors"
        file.write_bytes(to_bytes(edit))
        jobs.append({**job(edits=[{"edit": edit.sha256}]), "edits": {edit.sha256: str(file)}})
    run(engine, jobs[0])
    assert engine.made_by()["equals_base"] is True and engine.made_by()["bases"] == told["bases"]
    with torch.no_grad():
        next(layers[0].parameters()).add_(1)  # by another hand, where the next edit does not write
    run(engine, jobs[1])
    assert engine.made_by()["equals_base"] is False


def test_models_of_the_folder_take_their_turn(tiny_model: Path, tmp_path: Path) -> None:
    build_xl(tmp_path / "large")
    models = {"stencil": tiny_model}
    engine = Engine(EngineConfig(models, device="cpu", previews=False, models_dir=tmp_path, memory_budget=1))
    side = {"width": XL_SIZE_PX, "height": XL_SIZE_PX}
    both = {"kind": "generate", "recipes": job()["recipes"] + job(model="large", **side)["recipes"]}
    assert run(engine, both).count("image") == 2
    assert {row.models for row in engine.store.table()} == {("large",)}
    assert {row.leases for row in engine.store.table()} == {0}


def test_what_no_memory_can_hold_is_refused_before_loading(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(residency, "memory_of", lambda device: Memory(0, 1_500_000))
    with pytest.raises(OutOfMemory, match=r"512 x 512 pixels with stencil need .* Take \d+ x \d+\."):
        run(engine, job(width=512, height=512))
    assert not engine.store.loads
    assert run(engine, job())[-1] == "done"


MANY = {"prompt": "red AND blue AND star AND square", "guidance": {"method": "pag", "params": {"guidance_scale": 3.0}}}
PLAIN = {"guidance": {"params": {"guidance_scale": 3.0}}}


@pytest.fixture
def holds(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Gives the device memory for as many rows of one evaluation, at a width and height."""
    weights = engine.store.check_fits("stencil", 1, SIZE_PX, SIZE_PX).weights

    def hold(rows: int, side_px: int) -> None:
        room = activation_bytes(engine.store.card("stencil"), rows, side_px, side_px, "fp32")
        monkeypatch.setattr(residency, "memory_of", lambda device: Memory(0, weights + room))

    return hold


def test_many_prompts_at_once_are_refused_with_what_makes_them_many(
    engine: Engine, holds: Callable[[int, int], None]
) -> None:
    """Ten rows: four prompts and the empty one, as they are and perturbed. Its method alone has three."""
    holds(9, 128)
    with pytest.raises(OutOfMemory) as caught:
        run(engine, job(**MANY, width=128, height=128))
    assert not engine.store.loads
    told = str(caught.value)
    assert "128 x 128 pixels with stencil need" in told
    assert "for 10 rows of the network at a time (4 prompts joined by AND, guidance by pag); cpu has" in told
    assert told.endswith(". Take 64 x 64 or plain guidance of one prompt.")
    assert run(engine, job(**MANY, width=64, height=64))[-1] == "done"
    assert run(engine, job(**PLAIN, width=128, height=128))[-1] == "done"
    holds(10, 128)
    assert run(engine, job(**MANY, width=128, height=128))[-1] == "done"


def test_the_hardest_of_several_pictures_is_looked_at_not_the_largest(
    engine: Engine, holds: Callable[[int, int], None]
) -> None:
    holds(5, 128)
    mixed = {
        "kind": "generate",
        "recipes": [
            job(**each)["recipes"][0]
            for each in ({**PLAIN, "width": 128, "height": 128}, {**MANY, "width": 96, "height": 96})
        ],
    }
    with pytest.raises(OutOfMemory, match="96 x 96 pixels with stencil need"):
        run(engine, mixed)


def test_pictures_drawn_together_are_as_many_as_there_is_room_for(
    engine: Engine, holds: Callable[[int, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    holds(5, 128)
    seen: list[int] = []
    bundle = engine.bundle("stencil")
    predict = bundle.predict

    def counted(x: Any, t: Any, cond: Any) -> torch.Tensor:
        seen.append(len(x))
        return predict(x, t, cond)

    monkeypatch.setattr(bundle, "predict", counted)
    values = {**PLAIN, "width": 128, "height": 128, "batching": "shared"}
    together = {"kind": "generate", "recipes": [job(**values, seed=seed)["recipes"][0] for seed in range(4)]}
    assert run(engine, together)[-1] == "done"
    assert seen == [4] * 4


def test_absent_devices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EnvironmentProblem, match="no cuda device"):
        pick_device("cuda")
    assert pick_device("cpu").type == "cpu"
