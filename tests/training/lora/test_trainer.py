"""One trainer for every loss: it learns, gives way, goes on to the same bits when killed, and says what went wrong."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.core.errors import AssetError, BadInput, Cancelled, NonFinite, NotFound, StudioError
from studio.core.recipe import Recipe
from studio.engine.config import EngineConfig
from studio.engine.edits.files import read_edit
from studio.engine.edits.fingerprint import full_hash
from studio.engine.runner import Engine
from studio.training.lora import checkpoints, files, measures, trainer
from studio.training.lora.plan import Plan
from tests.tiny_model import build, build_once
from tests.training.lora.toy_losses import Breaks

KIND = "studio.training.lora.trainer:run"
_NAMES = ("Pull", "Breaks", "Idle", "Denoise", "Greedy")
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
    """One training under way: `steps` to take, `told` so far."""

    def __init__(self, engine: Engine, folder: Path, **changes: Any) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.is_stopped = False
        job = {"kind": "train", "id": "abc", "plan": {**PLAN, **changes}, "folder": str(folder)}
        self.steps = engine.steps(job, lambda kind, data: self.told.append((kind, data)), lambda: self.is_stopped)

    def finish(self) -> Job:
        for _ in self.steps:
            pass
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

CHILD = """
import sys, json
from pathlib import Path
from tests.training.lora import test_trainer as tests
from studio.training.lora import trainer
trainer.CHECKPOINT_EVERY_S = 0.0
job = tests.Job(tests.engine_of(Path(sys.argv[1])), Path(sys.argv[2]), **json.loads(sys.argv[3]))
print("ready", flush=True)
for _ in job.steps:
    print(job.told[-1][1].get("step", 0), flush=True)
print("sha256", job.of("edit")[0]["sha256"], flush=True)
"""


def child(model: Path, folder: Path, **changes: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(model), str(folder), json.dumps(changes)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize("changes", [{}, {"ema": 0.9}], ids=["plain", "averaged"])
def test_killed_at_any_instant_it_goes_on_to_the_same_bits(
    model: Path, engine: Engine, tmp_path: Path, changes: dict[str, Any]
) -> None:
    unbroken = Job(engine, tmp_path / "unbroken", **changes).finish().of("edit")[0]["sha256"]
    folder, begun = tmp_path / "broken", []
    for lines in (3, 14):  # the ways of the base; a step
        process = child(model, folder, **changes)
        assert process.stdout is not None
        for _ in range(lines):
            begun.append(process.stdout.readline())
        time.sleep(0.003 * lines)  # somewhere within the next
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    kept = checkpoints.Checkpoints(folder)
    assert (folder / files.CHECKPOINT).exists() and kept.folder == folder
    again = Job(engine_of(model), folder, **changes).finish()
    assert again.of("measure")[0]["step"] > 1  # it did not begin anew
    assert again.of("edit")[0]["sha256"] == unbroken


def test_every_step_can_be_the_last_before_a_resume(model: Path, engine: Engine, tmp_path: Path) -> None:
    unbroken = Job(engine, tmp_path / "unbroken").finish().of("edit")[0]["sha256"]
    for last in range(1, PLAN["steps"]):
        folder = tmp_path / str(last)
        job = Job(engine, folder)
        with pytest.raises(Cancelled):
            for _ in job.steps:
                if job.of("progress") and job.of("progress")[-1]["step"] == last:
                    job.steps.throw(Cancelled("stopped"))
        assert job.of("edit")[0]["steps"] == last
        assert Job(engine, folder).finish().of("edit")[0]["sha256"] == unbroken, last


def test_stopped_in_the_middle_of_a_step_it_takes_that_step_again(engine: Engine, tmp_path: Path) -> None:
    unbroken = Job(engine, tmp_path / "unbroken", steps=3).finish().of("edit")[0]["sha256"]
    whole = sum(1 for _ in Job(engine, tmp_path / "counted", steps=3).steps)
    for turns in range(whole - 6, whole):  # of three steps, each gives way within and after
        folder = tmp_path / str(turns)
        job = Job(engine, folder, steps=3)
        for _ in range(turns):
            next(job.steps)
        with pytest.raises(Cancelled):
            job.steps.throw(Cancelled("stopped"))
        assert Job(engine, folder, steps=3).finish().of("edit")[0]["sha256"] == unbroken, turns


def test_stopped_before_its_first_step_it_has_no_edit(engine: Engine, tmp_path: Path) -> None:
    job = Job(engine, tmp_path)
    next(job.steps)
    with pytest.raises(Cancelled):
        job.steps.throw(Cancelled("stopped"))
    assert job.of("edit") == [] and engine.shelf._live == {}


def test_where_numbers_end_it_stops_says_which_and_keeps_the_last_good(engine: Engine, tmp_path: Path) -> None:
    Breaks.steps.clear()
    job = Job(engine, tmp_path, loss="breaks", loss_params={"at": 4})
    with pytest.raises(NonFinite, match="stopped being numbers at step 4; it began with held"):
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


@pytest.mark.parametrize("name", [files.CHECKPOINT, files.BANK])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_checkpoint_cut_short_is_refused(engine: Engine, begun: Path, name: str, share: float) -> None:
    path = begun / name
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(AssetError, match="The checkpoint of this training is damaged"):
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
