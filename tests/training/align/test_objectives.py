"""Objectives of preference: the plan each makes, an edit of each on small models, and looks at what is held out."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.core.errors import BadInput, Cancelled, NonFinite
from studio.engine.config import EngineConfig
from studio.engine.edits.files import read_edit
from studio.engine.latents import latents_file
from studio.engine.runner import Engine
from studio.preference.answer import Answer
from studio.services.sources import KINDS, LOSSES
from studio.training.align.objective import Objective
from studio.training.align.objectives import OBJECTIVES
from studio.training.align.plan import read_plan
from studio.training.align.rows import Row, rows_of
from studio.training.align.trained import LEAST_ROWS, Surroundings, training_plan
from studio.training.lora import measures
from studio.training.lora.losses import build_loss
from studio.training.lora.plan import Plan
from tests.tiny_model import build
from tests.tiny_sdxl import build_xl
from tests.training.align.making import label, stored

COUNT = 6
LABELS = [
    *(label(number, Answer.pair("first" if number % 2 else "second")) for number in range(COUNT)),
    *(label(number, Answer.pair("tie")) for number in range(COUNT, COUNT + 2)),
    *(label(number, Answer.thumb(bool(number % 2)), count=1) for number in range(10, 10 + 2 * COUNT)),
    *(label(number, Answer("ranking", (2, 1, 3)), count=3) for number in range(30, 30 + COUNT)),
]


def labels_for(objective: Objective) -> list[Row]:
    of_kind = [one for one in LABELS if (len(one.pictures) == 3) == (objective.takes == "lists")]
    thumbs = objective.takes == "thumbs"
    return rows_of([one for one in of_kind if (len(one.pictures) == 1) == thumbs], objective.takes)


def plan_of(name: str, held_out: int = 2, in_world: bool = True, **changes: Any) -> dict[str, Any]:
    objective = OBJECTIVES.get(name)
    rows = labels_for(objective)
    plan = read_plan({"name": "taste", "snapshot": "mine", "method": name, **changes})
    split = len(rows) - held_out
    return training_plan(plan, objective, rows[:split], rows[split:], Surroundings(in_world), labels=split)


@pytest.mark.parametrize("name", OBJECTIVES.names())
def test_every_objective_makes_a_plan_that_its_loss_can_be_trained_by(name: str) -> None:
    objective = OBJECTIVES.get(name)
    for in_world in (True, False):
        plan = Plan.load(plan_of(name, in_world=in_world))
        loss = build_loss(plan.loss, plan.loss_params, LOSSES)
        plan.check_columns({need.condition for need in loss.needs} - {""})
        assert plan.pictures is not None and plan.held_out is not None and plan.learned_rows == len(plan.prompts) - 2
        assert {need.state for need in loss.needs} <= {"x", *plan.pictures.partners}
        assert plan.provenance["method"] == name and plan.provenance["alignment"]["snapshot"] == "mine"
    assert objective.name and objective.about.endswith(".") and objective.source.startswith("arXiv:")


def test_labels_that_teach_nothing_are_refused() -> None:
    dpo, plan = OBJECTIVES.get("dpo"), read_plan({"name": "taste", "snapshot": "mine"})
    few = rows_of(LABELS[: LEAST_ROWS - 1], dpo.takes)
    with pytest.raises(BadInput, match=f"learns from pairs, and there are {LEAST_ROWS - 1} of them"):
        training_plan(plan, dpo, few, [], Surroundings(True))
    for wrong in ({"steps": 0}, {"lr": 0}, {"first": 2}, {"rank": 10**6}, {"name": ""}, {"colour": 1}):
        with pytest.raises(BadInput):
            read_plan({"name": "taste", "snapshot": "mine", **wrong})
    with pytest.raises(BadInput, match="not every row can be held out"):
        Plan.load({**plan_of("dpo"), "held_out": {"rows": COUNT, "every": 1}})
    with pytest.raises(BadInput, match="1 numbers 'weight' for 6 rows"):
        Plan.load({**plan_of("dpo"), "numbers": {"weight": [1.0]}})


def test_a_plan_of_before_has_the_digest_it_had() -> None:
    """What came later says nothing where it is not used: a training that was stopped is found again."""
    plan = Plan.load({**plan_of("sft", held_out=0), "numbers": {}, "schedule": None})
    assert not {"numbers", "schedule", "held_out", "looks"} & plan.plain().keys()


def dense(delta: Any) -> torch.Tensor:
    """What an edit adds to a layer's weights."""
    return delta.delta()


class Run:
    """One training of a small model. turns: in how many it came to its end."""

    def __init__(self, engine: Engine, folder: Path, paths: dict[str, str], plan: dict[str, Any], **job: Any) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.turns = 0
        job = {"kind": "train", "id": "abc", "folder": str(folder), "plan": plan, "pictures": paths, **job}
        self.steps = engine.steps(job, lambda kind, data: self.told.append((kind, data)), lambda: False)

    def finish(self) -> Run:
        for _ in self.steps:
            self.turns += 1
        return self

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [data for told, data in self.told if told == kind]


def engine_for(family: str, factory: pytest.TempPathFactory) -> tuple[Engine, str]:
    folder = factory.getbasetemp() / "models-to-align" / family
    if not folder.exists():
        (build if family == "sd" else build_xl)(folder)
    toys = "tests.training.align.toy_objective"
    losses = {**LOSSES, "worse": f"{toys}:Worse", "breaks": f"{toys}:Breaks"}
    config = EngineConfig({}, models_dir=folder.parent, device="cpu", previews=False, kinds=KINDS, losses=losses)
    return Engine(config), folder.name


def small(name: str, model: str, **changes: Any) -> dict[str, Any]:
    return plan_of(name, model=model, steps=2, batch=2, rank=2, layers="xattn", **changes)


def paths_of(plan: dict[str, Any], folder: Path) -> dict[str, str]:
    checked = Plan.load(plan)
    assert checked.pictures is not None
    return stored(folder, checked.pictures.names)


# Of SDXL one for each number of pictures and prompts in a row; of SD all. All of SDXL behind --slow.
OF_SDXL = ("dpo", "kto", "plackett-luce")


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("sd", OBJECTIVES.names()),
        ("sdxl", OF_SDXL),
        pytest.param("sdxl", set(OBJECTIVES.names()) - {*OF_SDXL}, marks=pytest.mark.slow),
    ],
    ids=["all on sd", "some on sdxl", "the others on sdxl"],
)
def test_every_objective_takes_steps_on_a_small_model(
    family: str, names: Collection[str], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    engine, model = engine_for(family, tmp_path_factory)
    for name in names:
        plan = small(name, model)
        (folder := tmp_path / name).mkdir()
        run = Run(engine, folder / "run", paths_of(plan, folder), plan).finish()
        edit = read_edit(Path(run.of("edit")[0]["path"]))
        assert edit.layers["unet"] and edit.provenance["method"] == name
        newest = {key: value for point in run.of("measure") for key, value in point["values"].items()}
        assert {"winner error", "held-out winner error", "held-out loss"} <= newest.keys()


def test_what_is_held_out_changes_nothing_of_what_is_learned(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same rows to learn from, looked at or not: the same bits; before the first step the base's own numbers."""
    monkeypatch.setattr(measures, "EVERY_S", 0.0)
    engine, model = engine_for("sd", tmp_path_factory)
    plan = small("dpo", model)
    paths = paths_of(plan, tmp_path)
    seldom = {**plan, "held_out": {**plan["held_out"], "every": 1000}}
    often = {**plan, "held_out": {**plan["held_out"], "every": 1}}
    runs = [Run(engine, tmp_path / name, paths, one).finish() for name, one in (("seldom", seldom), ("often", often))]
    layers = [read_edit(Path(run.of("edit")[0]["path"])).layers["unet"] for run in runs]
    for path, low_rank in layers[0].items():
        assert torch.equal(dense(low_rank), dense(layers[1][path]))
    looks = [point for point in runs[1].of("measure") if "held-out loss" in point["values"]]
    assert [point["step"] for point in looks] == [0, 1, 2]
    first = looks[0]["values"]
    assert first["held-out winner error"] == first["held-out winner error of the base"]
    assert first["held-out winner error, rise in %"] == 0 and first["held-out loss"] == pytest.approx(0.6931, abs=1e-3)


def test_it_ends_where_preferred_pictures_become_worse_and_so_does_one_that_was_killed(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    engine, model = engine_for("sd", tmp_path_factory)
    plan = {**small("dpo", model), "loss": "worse", "loss_params": {}, "steps": 40, "lr": 0.1}
    plan["held_out"] = {**plan["held_out"], "every": 2, "stop_rise": 1e-6}
    paths = paths_of(plan, tmp_path)
    unbroken = Run(engine, tmp_path / "unbroken", paths, plan).finish()
    ended = unbroken.of("edit")[0]
    assert ended["steps"] < 40 and ended["final"] and "the error on preferred pictures" in ended["ended"]
    broken = Run(engine, tmp_path / "broken", paths, plan)
    with pytest.raises(Cancelled):
        for _ in broken.steps:
            if broken.of("progress") and broken.of("progress")[-1]["step"] == ended["steps"] - 1:
                broken.steps.throw(Cancelled("stopped"))
    again = Run(engine, tmp_path / "broken", paths, plan).finish().of("edit")[0]
    assert (again["sha256"], again["steps"]) == (ended["sha256"], ended["steps"])


def test_kept_latents_stand_for_the_picture(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """They are learned from where they can be read, and the picture is where they cannot."""
    engine, model = engine_for("sd", tmp_path_factory)
    plan = small("sft", model, held_out=0)
    paths = paths_of(plan, tmp_path)
    bundle = engine.bundle(model)
    side = 32 // bundle.latent_scale_px
    latents: dict[str, str] = {}
    for number, name in enumerate(paths):
        random = torch.randn((1, bundle.latent_channels, side, side), generator=torch.Generator().manual_seed(number))
        (path := tmp_path / f"{number}.npy").write_bytes(latents_file(random))
        latents[name] = str(path)
    encoded = Run(engine, tmp_path / "encoded", paths, plan).finish().of("edit")[0]["sha256"]
    kept = Run(engine, tmp_path / "kept", paths, plan, latents=latents).finish().of("edit")[0]["sha256"]
    assert kept != encoded
    for path in latents.values():
        Path(path).write_bytes(b"no file of latents")
    damaged = Run(engine, tmp_path / "damaged", paths, plan, latents=latents).finish().of("edit")[0]["sha256"]
    assert damaged == encoded


def test_where_the_loss_stops_being_a_number_it_says_so_and_keeps_the_last_state_that_was_one(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    engine, model = engine_for("sd", tmp_path_factory)
    plan = {**small("dpo", model, held_out=0), "loss": "breaks", "loss_params": {}, "steps": 9, "lr": 0.1}
    run = Run(engine, tmp_path / "run", paths_of(plan, tmp_path), plan)
    with pytest.raises(NonFinite, match="stopped being numbers at step 2; it began with preference"):
        run.finish()
    (told,) = run.of("edit")
    assert (told["steps"], told["final"]) == (1, False)
    assert all(dense(delta).isfinite().all() for delta in read_edit(Path(told["path"])).layers["unet"].values())
