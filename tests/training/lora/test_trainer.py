"""One trainer for every loss: it learns, gives way, goes on to the same bits when killed, and says what went wrong."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from studio.core.errors import (
    AssetError,
    BadInput,
    Cancelled,
    NonFinite,
    NotFound,
    OutOfMemory,
    StudioError,
    WorkspaceError,
)
from studio.core.recipe import Recipe
from studio.engine.config import EngineConfig
from studio.engine.edits.files import read_edit
from studio.engine.memory import Memory
from studio.engine.runner import Engine
from studio.training import handover
from studio.training.lora import checkpoints, files, measures, memory, pace, trainer
from studio.training.lora.losses import build_loss
from studio.training.lora.memory import TrainingDemand, training_demand
from studio.training.lora.pace import TimeLimit
from studio.training.lora.plan import PicturesPlan, Plan
from studio.training.lora.states import renoised_pictures
from studio.training.lora.training import Training
from tests.engine.edits.making import full_hash
from tests.quick_workers import forking
from tests.tiny_model import build, build_once
from tests.training.lora.toy_losses import Breaks, Greedy

PATIENCE_S = 240.0  # a start may take minutes on a busy machine
KIND = "studio.training.lora.trainer:run"
_NAMES = ("Pull", "Breaks", "Steep", "Idle", "Denoise", "Greedy")
LOSSES = {name.lower(): f"tests.training.lora.toy_losses:{name}" for name in _NAMES}
PLAN: dict[str, Any] = {
    "name": "towards blue",
    "model": "stencil",
    "loss": "pull",
    "prompts": [{"concept": "a red star", "anchor": "a blue star"}, {"concept": "a red box", "anchor": "a blue box"}],
    "bank": {"condition": "concept", "ways": 2, "steps": 4},
    "layers": "xattn_kv",
    "rank": 2,
    "alpha": 2,
    "steps": 6,
    "batch": 3,
    "lr": 0.02,
    "seed": 5,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_once(tmp_path_factory)


def engine_of(model: Path) -> Engine:
    return Engine(
        EngineConfig(models={"stencil": model}, device="cpu", previews=False, kinds={"train": KIND}, losses=LOSSES)
    )


@pytest.fixture
def engine(model: Path) -> Engine:
    return engine_of(model)


class Job:
    """One training under way: `steps` to take, `told` so far, and in how many `turns` it came to its end."""

    def __init__(self, engine: Engine, folder: Path, **changes: Any) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.turns = 0
        self.is_stopped = False
        beside = {"limit_s": changes.pop("limit_s", None), "pictures": changes.pop("paths", None)}
        beside["edits"] = changes.pop("edits", None)
        job = {"kind": "train", "id": "abc", "plan": {**PLAN, **changes}, "folder": str(folder), **beside}
        self.steps = engine.steps(job, lambda kind, data: self.told.append((kind, data)), lambda: self.is_stopped)

    def finish(self) -> Job:
        for _ in self.steps:
            self.turns += 1
        return self

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [data for told, data in self.told if told == kind]


def network(engine: Engine) -> Any:
    return engine.bundle("stencil").components()["unet"]


def hooks(module: Any) -> int:
    return sum(len(layer._forward_hooks) + len(layer._forward_pre_hooks) for layer in module.modules())


def drawn(engine: Engine, *edits: dict[str, Any]) -> bytes:
    """A picture, drawn as whoever waits for one has it drawn."""
    pictures: list[bytes] = []
    recipe = Recipe.load({"prompt": "a red star", "seed": 3, "steps": 2, "width": 64, "height": 64, "edits": edits})

    def tell(kind: str, data: dict[str, Any]) -> None:
        if kind == "image":
            pictures.append(data["rgb"])

    for _ in engine.steps({"kind": "generate", "recipes": [recipe.model_dump(mode="json")]}, tell, lambda: False):
        pass
    return pictures[0]


@pytest.fixture
def open_umask() -> Iterator[None]:
    """One that would show everything to everyone."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_it_learns_and_ends_with_an_edit(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "EVERY_S", 0.0)
    before, folder = full_hash(network(engine)), tmp_path / "training"
    job = Job(engine, folder, steps=60).finish()
    assert [kind for kind, _ in job.told if kind not in ("measure", "progress")] == ["started", "edit", "done"]
    told = job.of("edit")[0]
    edit = read_edit(Path(told["path"]))
    assert (edit.sha256, edit.name, told["steps"]) == (told["sha256"], "towards blue", 60)
    assert edit.provenance["training"]["loss"] == "pull" and edit.provenance["steps"] == 60
    assert list(edit.base) == ["unet"] and all(path.endswith(("to_k", "to_v")) for path in edit.layers["unet"])
    points = measures.read(folder)
    assert points == [{"step": one["step"], "values": one["values"]} for one in job.of("measure")]
    assert points[-1]["step"] == 60 and set(points[-1]["values"]) == {"pull", "loss", "gradient norm"}
    losses = [point["values"]["pull"] for point in points]
    assert len(losses) == 60 and sum(losses[-10:]) < 0.5 * sum(losses[:10])
    assert full_hash(network(engine)) == before and hooks(network(engine)) == 0
    if os.name == "posix":  # what it writes is its user's alone, as all of a workspace
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}
        assert len(modes) >= 4 and modes.pop(folder.name) == 0o700 and set(modes.values()) == {0o600}


def test_wherever_it_gives_way_the_network_is_the_base(engine: Engine, tmp_path: Path) -> None:
    weights, picture = full_hash(network(engine)), drawn(engine)
    job = Job(engine, tmp_path)
    turns = 0
    for _ in job.steps:
        turns += 1
        assert hooks(network(engine)) == 0 and full_hash(network(engine)) == weights
        assert not torch.is_inference_mode_enabled()
        if turns % 5 == 0:
            assert drawn(engine) == picture
    ways, rows = PLAN["bank"], len(PLAN["prompts"])
    assert turns >= rows * ways["steps"] + 2 * PLAN["steps"]  # after every evaluation of the network


def test_pictures_drawn_meanwhile_change_nothing_of_what_it_learns(engine: Engine, tmp_path: Path) -> None:
    alone = Job(engine, tmp_path / "alone").finish().of("edit")[0]["sha256"]
    job = Job(engine, tmp_path / "beside")
    for _ in job.steps:
        drawn(engine, {"edit": "live:abc", "strength": 0.5}) if engine.shelf._live else drawn(engine)
    assert job.of("edit")[0]["sha256"] == alone


def test_a_half_trained_edit_can_be_drawn_with_and_is_gone_afterwards(engine: Engine, tmp_path: Path) -> None:
    base, seen = drawn(engine), set[bytes]()
    job = Job(engine, tmp_path)
    for _ in job.steps:
        if job.of("progress") and job.told[-1][0] in ("progress", "measure"):
            seen.add(drawn(engine, {"edit": "live:abc", "strength": 1.0}))
    assert len(seen) == PLAN["steps"] and base not in seen
    with pytest.raises(NotFound, match="The training whose unfinished edit this picture asks for is not under way"):
        drawn(engine, {"edit": "live:abc", "strength": 1.0})


# -- killed, stopped, broken ------------------------------------------------------------------------------------------


def train_in_a_process(model: Path, folder: Path, changes: dict[str, Any], told: Connection) -> None:
    """The target of a process of its own, which says when it is ready, and each time it gives way."""
    trainer.CHECKPOINT_EVERY_S = 0.0
    job = Job(engine_of(model), folder, **changes)
    told.send("ready")
    for _ in job.steps:
        told.send("a turn")


POOLED: dict[str, Any] = {"bank": None, "pool": {"condition": "concept", "steps": 4}, "steps": 10}  # ways end in it


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize("changes", [{}, {"ema": 0.9}, POOLED], ids=["plain", "averaged", "own path"])
def test_killed_at_any_instant_it_goes_on_to_the_same_bits(
    model: Path, engine: Engine, tmp_path: Path, changes: dict[str, Any]
) -> None:
    unbroken = Job(engine, tmp_path / "unbroken", **changes).finish().of("edit")[0]["sha256"]
    folder, context = tmp_path / "broken", forking()
    for lines in (3, 14):  # the ways of the base; a step
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=train_in_a_process, args=(model, folder, changes, theirs))
        process.start()
        theirs.close()
        for _ in range(lines):
            assert ours.poll(PATIENCE_S), "it says nothing"
            ours.recv()
        time.sleep(0.003 * lines)  # somewhere within the next
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        ours.close()
    kept = checkpoints.Checkpoints(folder)
    assert (folder / files.CHECKPOINT).exists() and kept.folder == folder
    again = Job(engine_of(model), folder, **changes).finish()
    assert again.of("measure")[0]["step"] > 1  # it did not begin anew
    assert again.of("edit")[0]["sha256"] == unbroken


def test_every_step_can_be_the_last_before_a_resume(model: Path, engine: Engine, tmp_path: Path) -> None:
    unbroken = Job(engine, tmp_path / "unbroken").finish().of("edit")[0]["sha256"]
    folder = tmp_path / "broken"
    for last in range(1, PLAN["steps"]):  # each resumes the one before
        job = Job(engine, folder)
        with pytest.raises(Cancelled):
            for _ in job.steps:
                if job.of("progress") and job.of("progress")[-1]["step"] == last:
                    job.steps.throw(Cancelled("stopped"))
        assert job.of("edit")[0]["steps"] == last
        assert job.of("progress")[0]["step"] == last, "it went on from where it was stopped"
    assert Job(engine, folder).finish().of("edit")[0]["sha256"] == unbroken


def test_on_its_own_way_it_can_be_stopped_anywhere(engine: Engine, tmp_path: Path) -> None:
    """Also while the ways are taken to where they begin, and within a step: a way is never taken on twice."""
    changes = {**POOLED, "steps": 5}
    whole = Job(engine, tmp_path / "unbroken", **changes).finish()
    unbroken = whole.of("edit")[0]["sha256"]
    for turn in range(1, whole.turns, 3):
        job = Job(engine, tmp_path / str(turn), **changes)
        for _ in range(turn):
            next(job.steps)
        with pytest.raises(Cancelled):
            job.steps.throw(Cancelled("stopped"))
        assert Job(engine, tmp_path / str(turn), **changes).finish().of("edit")[0]["sha256"] == unbroken, turn
    banked = Job(engine, tmp_path / "banked", steps=5).finish().of("edit")[0]["sha256"]
    assert banked != unbroken


def test_its_own_ways_are_drawn_with_what_it_has_learned(engine: Engine, tmp_path: Path) -> None:
    """A learning rate of nothing walks the base's ways; any other leaves them."""

    def places(lr: float) -> torch.Tensor:
        plan = Plan.load({**PLAN, **POOLED, "lr": lr, "steps": 3})
        with engine.lease("stencil", lambda: False, False) as bundle:
            training = Training(plan, build_loss(plan.loss, plan.loss_params, LOSSES), bundle)
            for _ in training.prepare(checkpoints.Checkpoints(tmp_path), {}):
                pass
            for _ in range(plan.steps):
                for _ in training.advance():
                    pass
            assert training.batches.pool is not None
            return training.batches.pool.x

    still, also_still, learning = places(1e-30), places(2e-30), places(0.05)
    assert torch.equal(still, also_still) and not torch.equal(still, learning)


def test_stopped_in_the_middle_of_a_step_it_takes_that_step_again(engine: Engine, tmp_path: Path) -> None:
    banked = tmp_path / "banked"  # with the states of the base behind it, which take most of so short a training
    unbroken = Job(engine, banked, steps=3).finish().of("edit")[0]["sha256"]
    (banked / files.CHECKPOINT).unlink()
    whole = sum(1 for _ in Job(engine, shutil.copytree(banked, tmp_path / "counted"), steps=3).steps)
    for turns in range(whole - 6, whole):  # of three steps, each gives way within and after
        folder = shutil.copytree(banked, tmp_path / str(turns))
        job = Job(engine, folder, steps=3)
        for _ in range(turns):
            next(job.steps)
        with pytest.raises(Cancelled):
            job.steps.throw(Cancelled("stopped"))
        assert Job(engine, folder, steps=3).finish().of("edit")[0]["sha256"] == unbroken, turns


def test_stopped_before_its_first_step_it_has_no_edit(engine: Engine, tmp_path: Path) -> None:
    for number, has_begun in enumerate(
        (lambda: True, lambda: engine.shelf._live)
    ):  # among its states; in its first step
        job = Job(engine, tmp_path / str(number))
        next(job.steps)
        while not has_begun():
            next(job.steps)
        with pytest.raises(Cancelled):
            job.steps.throw(Cancelled("stopped"))
        assert job.of("edit") == job.of("progress") == [] and engine.shelf._live == {}


def test_stopped_on_a_full_disk_it_is_stopped_and_has_what_the_disk_took(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, data: bytes, **options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(trainer, "CHECKPOINT_EVERY_S", 0.0)
    job = Job(engine, tmp_path)
    with monkeypatch.context() as full, pytest.raises(Cancelled):
        for _ in job.steps:
            if job.of("progress") and job.of("progress")[-1]["step"] == 2:
                full.setattr(checkpoints, "write_durably", refuse)
                full.setattr(handover, "write_durably", refuse)
                job.steps.throw(Cancelled("stopped"))
    assert job.of("edit") == []
    assert Job(engine, tmp_path).finish().of("progress")[0]["step"] == 3


@pytest.mark.parametrize(("loss", "first"), [("breaks", "held"), ("steep", "its gradient")])
def test_where_numbers_end_it_stops_says_which_and_keeps_the_last_good(
    engine: Engine, tmp_path: Path, loss: str, first: str
) -> None:
    Breaks.steps.clear()
    job = Job(engine, tmp_path, loss=loss, loss_params={"at": 4})
    with pytest.raises(NonFinite, match=f"stopped being numbers at step 4; it began with {first}"):
        job.finish()
    assert job.of("edit")[0]["steps"] == 3
    expected = Job(engine, tmp_path / "other", steps=3).finish().of("edit")[0]
    found = read_edit(Path(job.of("edit")[0]["path"]))
    assert found.sha256 == expected["sha256"]  # the same three steps: what broke was worth nothing


def test_a_full_disk_is_told_and_the_training_goes_on(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, full = checkpoints.write_durably, [2, 3]

    def limited(path: Path, data: bytes, **options: Any) -> None:
        limited.calls += 1  # pyright: ignore[reportFunctionMemberAccess]
        if limited.calls in full:  # pyright: ignore[reportFunctionMemberAccess]
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, data, **options)

    limited.calls = 0  # pyright: ignore[reportFunctionMemberAccess]
    monkeypatch.setattr(checkpoints, "write_durably", limited)
    monkeypatch.setattr(trainer, "CHECKPOINT_EVERY_S", 0.0)
    job = Job(engine, tmp_path).finish()
    troubles = ["trouble" in one for one in job.of("progress")]
    assert troubles == [True, True, False, False, False, False]
    assert "disk is full" in job.of("progress")[0]["trouble"] and job.of("edit")[0]["steps"] == 6


def test_a_disk_that_is_full_to_the_end_is_told_and_costs_no_more_than_it_had_no_room_for(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken = Job(engine, tmp_path / "unbroken").finish().of("edit")[0]["sha256"]
    job, folder = Job(engine, tmp_path / "full"), tmp_path / "full"
    monkeypatch.setattr(trainer, "CHECKPOINT_EVERY_S", 0.0)

    def refuse(path: Path, data: bytes, **options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full, pytest.raises(WorkspaceError, match="disk is full"):
        for _ in job.steps:
            if job.of("progress") and job.of("progress")[-1]["step"] == 3:
                full.setattr(checkpoints, "write_durably", refuse)
                full.setattr(handover, "write_durably", refuse)
    assert job.of("edit") == [] and job.of("progress")[-1]["step"] == 6 and engine.shelf._live == {}
    again = Job(engine, folder).finish()
    assert again.of("progress")[0]["step"] == 4, "from the last checkpoint that the disk took"
    assert again.of("edit")[0]["sha256"] == unbroken


# -- what must stay, and states from pictures --------------------------------------------------------------------------


def retained(how: str, **values: Any) -> dict[str, Any]:
    return {"prompts": ["a blue box", ""], "how": how, "batch": 2, "bank": {"ways": 2, "steps": 4}, **values}


@pytest.mark.parametrize("how", ["distil", "pcgrad", "dual"])
def test_with_retention_it_goes_on_to_the_same_bits(engine: Engine, tmp_path: Path, how: str) -> None:
    changes = {"steps": 4, "retention": retained(how)}
    unbroken = Job(engine, tmp_path / "unbroken", **changes).finish()
    assert {"retention", "pull"} <= unbroken.of("measure")[-1]["values"].keys()
    assert ("multiplier" in unbroken.of("measure")[-1]["values"]) == (how == "dual")
    broken = Job(engine, tmp_path / "broken", **changes)
    with pytest.raises(Cancelled):
        for _ in broken.steps:
            if broken.of("progress") and broken.of("progress")[-1]["step"] == 2:
                broken.steps.throw(Cancelled("stopped"))
    again = Job(engine, tmp_path / "broken", **changes).finish()
    assert again.of("edit")[0]["sha256"] == unbroken.of("edit")[0]["sha256"]
    plain = Job(engine, tmp_path / "plain", steps=4).finish()
    assert plain.of("edit")[0]["sha256"] != unbroken.of("edit")[0]["sha256"]


def test_what_must_stay_moves_less(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same training, held loosely and firmly: the gap on the retained prompts."""
    monkeypatch.setattr(measures, "EVERY_S", 0.0)
    gaps = [
        Job(engine, tmp_path / str(weight), steps=30, retention=retained("distil", weight=weight)).finish()
        for weight in (1e-6, 30.0)
    ]
    loose, firm = (sum(point["values"]["retention"] for point in job.of("measure")[-10:]) for job in gaps)
    assert firm < 0.5 * loose


def stored_pictures(folder: Path, count: int) -> dict[str, str]:
    paths: dict[str, str] = {}
    for number in range(count):
        array = np.full((32, 32, 3), 40 * number, dtype=np.uint8)
        Image.fromarray(array).save(path := folder / f"{number}.png")
        paths[f"{number:064x}"] = str(path)
    return paths


def test_it_learns_stored_pictures_and_goes_on_to_the_same_bits(engine: Engine, tmp_path: Path) -> None:
    paths = stored_pictures(tmp_path, 3)
    first, second, third = paths
    changes: dict[str, Any] = {"loss": "denoise", "bank": None, "steps": 4}
    changes["pictures"] = {"images": [[first, second], [third]], "last": 0.9}
    changes["retention"] = retained("distil")

    def job(folder: str) -> Job:
        return Job(engine, tmp_path / folder, paths=paths, **changes)

    unbroken, broken = job("unbroken").finish(), job("broken")
    assert len(list((tmp_path / "unbroken").iterdir())) == 4  # checkpoint, states, curves, edit
    with pytest.raises(Cancelled):
        for _ in broken.steps:
            if broken.of("progress") and broken.of("progress")[-1]["step"] == 2:
                broken.steps.throw(Cancelled("stopped"))
    for path in paths.values():
        Path(path).unlink()  # what was encoded is kept
    assert job("broken").finish().of("edit")[0]["sha256"] == unbroken.of("edit")[0]["sha256"]
    with pytest.raises(AssetError, match=f"The picture {first[:12]} of this training is gone or damaged"):
        job("anew").finish()


def test_pictures_of_two_sizes_are_refused(engine: Engine, tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "0.png")
    Image.new("RGB", (64, 32)).save(tmp_path / "9.png")
    paths = {f"{0:064x}": str(tmp_path / "0.png"), f"{9:064x}": str(tmp_path / "9.png")}
    plan = {"loss": "denoise", "bank": None, "pictures": {"images": [[name] for name in paths]}}
    with pytest.raises(BadInput, match="is 64 x 32 pixels, and the first of this training another size"):
        Job(engine, tmp_path / "run", paths=paths, **plan).finish()


def test_noise_on_pictures_is_what_the_schedule_says(engine: Engine) -> None:
    schedule = engine.bundle("stencil").schedule
    names = [f"{number:064x}" for number in range(3)]
    plan = PicturesPlan(images=((names[0],), (names[1], names[2])), first=0.25, last=0.5)
    x0 = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 3, 8, 8)
    rows = torch.tensor([0, 1] * 50)
    drawn = renoised_pictures(x0, plan, schedule).draw(rows, torch.Generator().manual_seed(0))
    last = schedule.num_train_timesteps - 1
    assert round(0.25 * last) <= int(drawn.t.min()) and int(drawn.t.max()) <= round(0.5 * last)
    a, s = (part.float().view(-1, 1, 1, 1) for part in schedule.at(drawn.t.double()))
    assert drawn.noise is not None
    data = ((drawn.x - s * drawn.noise) / a).mean((1, 2, 3))
    assert sorted({round(float(one)) for one in data[rows == 0]}) == [0]
    assert sorted({round(float(one)) for one in data[rows == 1]}) == [1, 2]
    again = renoised_pictures(x0, plan, schedule).draw(rows, torch.Generator().manual_seed(0))
    assert torch.equal(again.x, drawn.x) and torch.equal(again.t, drawn.t)


# -- memory and time --------------------------------------------------------------------------------------------------


def test_what_a_step_takes_is_counted_before_anything_is_loaded(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = engine.store.files("stencil")

    def counted(**changes: Any) -> TrainingDemand:
        plan = Plan.load({**PLAN, **changes})
        return training_demand(files, plan, build_loss(plan.loss, {}, LOSSES), "fp32")

    small, large = counted(batch=2), counted(batch=8)
    assert 3.5 < large.activations / small.activations < 4.5
    assert large.factors == small.factors == counted(rank=4).factors // 2
    assert counted(ema=0.9).factors == small.factors * 5 // 4
    assert counted(batch=2, retention=retained("distil")).activations == pytest.approx(2 * small.activations, rel=0.1)
    assert small.weights == files.bytes_in("fp32")

    fits = small.weights + small.factors + 2 * small.activations  # of a batch of four
    monkeypatch.setattr(memory, "memory_of", lambda device: Memory(None, fits))
    with pytest.raises(
        OutOfMemory, match=r"Training stencil in batches of 400 needs .* GB; cpu has .*batch of [345]\."
    ) as told:
        Job(engine, tmp_path, batch=400).finish()
    assert len(str(told.value)) < 160 and list(tmp_path.iterdir()) == [] and engine.store.table() == ()
    monkeypatch.setattr(memory, "memory_of", lambda device: Memory(None, small.weights))
    with pytest.raises(OutOfMemory, match="Take fp16, or a smaller model"):
        Job(engine, tmp_path).finish()


def test_the_count_is_what_a_real_step_takes(engine: Engine) -> None:
    """The student's forward once more, with numbers: the same tensors are alive."""
    plan = Plan.load({**PLAN, "batch": 4})
    loss = build_loss(plan.loss, {}, LOSSES)
    bundle = engine.bundle("stencil")
    training = trainer.Training(plan, loss, bundle)
    side = bundle.default_size_px // bundle.latent_scale_px
    x, t, cond = torch.randn(4, bundle.latent_channels, side, side), torch.full((4,), 500.0), bundle.encode(["a"] * 4)
    weights = [*bundle.components()["unet"].parameters(), *training.edit.parameters()]
    with torch.enable_grad(), training.edit.applied(), memory.Living(weights) as step:
        kept = bundle.predict(x, t, cond)
    estimated = training_demand(engine.store.files("stencil"), plan, loss, "fp32").activations
    assert 0.9 * step.peak <= estimated <= 1.01 * step.peak
    del kept


def test_running_out_of_memory_keeps_what_was_learned(engine: Engine, tmp_path: Path) -> None:
    Greedy.steps.clear()
    job = Job(engine, tmp_path, loss="greedy")
    with pytest.raises(
        OutOfMemory, match="not enough memory on cpu for a training in batches of 3. Start it anew with"
    ):
        job.finish()
    assert job.of("edit")[0]["steps"] == 2 and hooks(network(engine)) == 0
    drawn(engine)  # the engine can be used on


def test_a_training_that_may_not_take_so_long_is_refused_once_its_steps_are_measured(
    engine: Engine, tmp_path: Path
) -> None:
    job = Job(engine, tmp_path, steps=1000, limit_s=1e-6)
    with pytest.raises(
        BadInput, match=r"1,000 steps of this training take about .* on this machine.*; the limit is 0 s"
    ):
        job.finish()
    assert job.of("progress")[-1]["step"] == 3 and job.of("edit") == []
    assert Job(engine, tmp_path / "enough", limit_s=1e9).finish().of("edit")[0]["steps"] == 6


def test_long_times_are_told_in_large_units() -> None:
    words = [pace.in_words(seconds) for seconds in (0.2, 1, 90, 600, 32_400, 200_000, 1e12)]
    assert words == ["0 seconds", "1 second", "90 seconds", "10 minutes", "9 hours", "2 days", "31,688 years"]


def test_a_limit_is_for_the_whole_training_and_leaves_time_for_what_follows_the_steps() -> None:
    limit = TimeLimit(600, 1000)
    with pytest.raises(BadInput, match="take about 9 hours on this machine; the limit is 10 minutes. Take at most 18 "):
        limit.check(32.4)
    with pytest.raises(
        BadInput, match="about 9 minutes on this machine, after 90 seconds of getting ready; the limit "
    ):
        limit.check(0.54, before_s=90)
    limit.check(0.54, before_s=45)
    assert limit.ended() == "" and not limit.is_over(2, 1e9, 1, 0), "nothing is learned in two steps"
    assert not limit.is_over(100, 549, 1, looks_s=50) and limit.is_over(100, 550, 1, looks_s=50)
    assert limit.ended().startswith("Stopped after 100 of 1000 steps: ") and "the limit of 10 minutes" in limit.ended()
    assert TimeLimit(600, 1000).is_over(100, 450, 1, looks_s=None), "for looks that nobody has measured a share is kept"
    unlimited = TimeLimit(None, 1000)
    unlimited.check(32.4)
    assert not unlimited.is_over(999, 1e9, 1, None)


# -- what cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"steps": 0}, BadInput, "steps"),
        ({"steps": 10**9}, BadInput, "steps"),
        ({"rank": 0}, BadInput, "rank"),
        ({"lr": float("nan")}, BadInput, "lr"),
        ({"prompts": []}, BadInput, "prompts"),
        ({"loss": "unknown"}, NotFound, "There is no loss named 'unknown'"),
        ({"loss_params": {"weight": 99}}, BadInput, "loss pull"),
        ({"loss_params": {"wait": 1}}, BadInput, "wait"),
        ({"loss": "idle"}, BadInput, "asks the edit that learns for nothing"),
        ({"bank": {"condition": "concepts"}}, BadInput, "Row 1 of the prompts has no 'concepts'"),
        ({"prompts": [{"concept": "a star"}]}, BadInput, "Row 1 of the prompts has no 'anchor'"),
        ({"model": "gone"}, StudioError, "gone"),
        ({"bank": None}, BadInput, "from a bank, from a pool or from pictures"),
        ({"pictures": {"images": [["a" * 64]] * 2}}, BadInput, "from a bank, from a pool or from pictures"),
        ({"bank": None, "pictures": {"images": [["a" * 64], []]}}, BadInput, "needs a picture of its own"),
        ({"bank": None, "pictures": {"images": [["a" * 64]]}}, BadInput, "needs a picture of its own"),
        ({"bank": None, "pictures": {"images": [["../a"]] * 2}}, BadInput, "named by the sha256 of its file"),
        ({"bank": None, "pictures": {"images": [["a" * 64]] * 2, "first": 0.5, "last": 0.1}}, BadInput, "earliest"),
        ({"loss": "denoise"}, BadInput, "learns from pictures, and this plan has none"),
        ({"retention": {"prompts": []}}, BadInput, "retention.prompts"),
        ({"retention": {"prompts": [""], "budget": 0}}, BadInput, "retention.budget"),
        ({"retention": {"prompts": [""], "how": "hope"}}, BadInput, "retention.how"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_a_sentence(
    engine: Engine, tmp_path: Path, changes: dict[str, Any], kind: type[StudioError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        Job(engine, tmp_path, **changes).finish()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def begun(engine: Engine, tmp_path: Path) -> Iterator[Path]:
    Job(engine, tmp_path, steps=2).finish()
    yield tmp_path


def test_the_checkpoint_of_other_settings_is_refused(engine: Engine, begun: Path) -> None:
    with pytest.raises(BadInput, match="of a training with other settings"):
        Job(engine, begun, steps=3).finish()


def test_the_checkpoint_of_another_base_is_refused(begun: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    build(other, "epsilon")
    with pytest.raises(BadInput, match="on other weights than this model has now"):
        Job(engine_of(other), begun, steps=2).finish()


def test_a_checkpoint_cut_short_is_refused(engine: Engine, begun: Path) -> None:
    for path in (begun / files.CHECKPOINT, begun / files.BANK):
        data = path.read_bytes()
        for share in (0.0, 0.3, 0.99):
            path.write_bytes(data[: int(len(data) * share)])
            with pytest.raises(AssetError, match="The checkpoint of this training is damaged"):
                Job(engine, begun, steps=2).finish()
        path.write_bytes(data)
    Job(engine, begun, steps=2).finish()


def test_curves_that_cannot_be_read_begin_anew(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / files.MEASURES).write_text('[{"step": "one"}]')
    Job(engine, tmp_path, steps=2).finish()
    assert measures.read(tmp_path)[-1]["step"] == 2


def test_many_points_are_thinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "EVERY_S", 0.0)
    monkeypatch.setattr(measures, "MAX_POINTS", 8)
    points = measures.Measures(tmp_path, lambda kind, data: None, 0)
    for step in range(1, 31):
        points.add(step, {"loss": 1.0 / step}, last=step == 30)
    points.write()
    kept = [one["step"] for one in measures.read(tmp_path)]
    assert len(kept) <= 8 and kept[-1] == 30 and kept == sorted(kept)


def test_equal_plans_have_one_digest_and_others_another() -> None:
    plan = Plan.load(PLAN)
    turned = {**dict(reversed(PLAN.items())), "prompts": [dict(reversed(row.items())) for row in PLAN["prompts"]]}
    assert Plan.load(turned).digest == plan.digest == Plan.load(plan.model_dump(mode="json")).digest
    assert plan.digest != Plan.load({**PLAN, "seed": 6}).digest
    assert plan.digest != Plan.load({**PLAN, "prompts": PLAN["prompts"][::-1]}).digest
